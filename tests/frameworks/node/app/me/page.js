import { cookies } from "next/headers";

export default async function Me() {
  return <p>session: {(await cookies()).get("session")?.value ?? "none"}</p>;
}
