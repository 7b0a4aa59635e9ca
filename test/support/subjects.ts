import { server } from "./server.ts";

/** Lists and ends a user's logins. */

export async function loginsOf(subject: string): Promise<object[]> {
  const path = `/subjects/${subject}/grants`;
  return (await server.expectAdmin<{ grants: object[] }>("GET", path)).grants;
}

export function logOut(subject: string): Promise<{ revoked: number }> {
  return server.expectAdmin("DELETE", `/subjects/${subject}/grants`);
}
