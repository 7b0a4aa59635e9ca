import type { TestProject } from "vitest/node";
import { LocalServer } from "../../../src/cli/local/local-server.ts";
import { openIdScopes } from "../person.ts";

/**
 * Starts one local server for all files of the project, because every start costs seconds. Its catalogue has
 * the scopes read and write, and those of OpenID Connect.
 */
export default async function startServer({
  provide,
}: TestProject): Promise<() => Promise<void>> {
  const server = await LocalServer.launch();
  try {
    await server.ready();
    await makeScopes(server);
  } catch (cause) {
    await server.stop();
    throw new Error(server.output, { cause });
  }
  const { url, secrets } = server;
  provide("liveServer", {
    url,
    adminToken: secrets.ADMIN_TOKEN,
    privateKey: secrets.PRIVATE_KEY,
  });
  return () => server.stop();
}

async function makeScopes({ url, secrets }: LocalServer): Promise<void> {
  for (const scope of ["read", "write", ...openIdScopes]) {
    const response = await fetch(`${url}/admin/scopes/${scope}`, {
      method: "PUT",
      headers: {
        Authorization: `Bearer ${secrets.ADMIN_TOKEN}`,
        "Content-Type": "application/json",
      },
      body: JSON.stringify({ description: `May ${scope}` }),
    });
    if (!response.ok) throw new Error(await response.text());
  }
}

declare module "vitest" {
  export interface ProvidedContext {
    liveServer: { url: string; adminToken: string; privateKey: string };
  }
}
