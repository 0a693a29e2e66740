"use client";

import { useEffect, useState } from "react";

export default function Page() {
  const [users, setUsers] = useState("");
  useEffect(() => {
    (async () => {
      // RECIPE
      setUsers(JSON.stringify(await response.json()));
    })();
  }, []);
  return <p>{users}</p>;
}
