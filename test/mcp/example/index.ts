import { env, waitUntil } from "cloudflare:workers";
import { createMcpHandler, McpServer } from "@modelcontextprotocol/server";
import {
  protectedResource,
  type TokensBinding,
  type VerifiedToken,
} from "baton/resource";
import { authInfoOf, needsScope } from "baton/resource/mcp";
import { z } from "zod";

/** An MCP server that keeps notes. Everybody who calls it has signed in at Baton, and sees their own notes. */

interface Bindings {
  ISSUER: string;
  RESOURCE: string;
  ASK: string;
  NOTES: KVNamespace;
  BATON: Fetcher;
  TOKENS: TokensBinding;
}

const bindings = env as unknown as Bindings;

/** Made once, because it keeps Baton's keys. */
const notes = protectedResource({
  resource: bindings.RESOURCE,
  issuer: bindings.ISSUER,
  scope: "notes:read",
  resource_name: "Notes",
  fetch: (url, init) => bindings.BATON.fetch(url, init),
  // Newer keys are fetched behind an answer, so that no agent waits for them.
  wait_until: waitUntil,
  ...(bindings.ASK === "on" && { tokens: bindings.TOKENS }),
  // So that agents that run in a browser can call it.
  cors: true,
});

/** Makes the tools for the user of a request. */
const mcp = createMcpHandler(({ authInfo }) => {
  const sub = String(authInfo?.extra?.["sub"]);
  const prefix = `${encodeURIComponent(sub)}/`;
  const server = new McpServer({ name: "notes", version: "1.0.0" });
  server.registerTool(
    "list_notes",
    { description: "Lists the user's notes.", inputSchema: z.object({}) },
    async () => {
      const { keys } = await bindings.NOTES.list({ prefix });
      const texts = keys.map(({ name }) => bindings.NOTES.get(name));
      return answer(JSON.stringify(await Promise.all(texts)));
    },
  );
  server.registerTool(
    "add_note",
    {
      description: "Adds a note for the user.",
      inputSchema: z.object({ text: z.string().max(1000) }),
      // `notes:read` is needed for everything, and this tool needs one more.
      scopeChallenge: needsScope("notes:write"),
    },
    async ({ text }) => {
      await bindings.NOTES.put(prefix + crypto.randomUUID(), text);
      return answer(`Added for ${sub}.`);
    },
  );
  return server;
});

function answer(text: string) {
  return { content: [{ type: "text" as const, text }] };
}

async function serve(
  request: Request,
  token: VerifiedToken,
): Promise<Response> {
  const { pathname } = new URL(request.url);
  if (pathname !== new URL(bindings.RESOURCE).pathname)
    return new Response("Not found", { status: 404 });
  return mcp.fetch(request, { authInfo: authInfoOf(notes, token) });
}

export default { fetch: notes.protect(serve) } satisfies ExportedHandler;
