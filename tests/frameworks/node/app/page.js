import { cookies } from "next/headers";
import { redirect } from "next/navigation";

export default async function Page() {
  async function login() {
    "use server";
    (await cookies()).set("session", "s-1", { httpOnly: true });
    redirect("/me");
  }
  return <form action={login}><button>Log in</button></form>;
}
