import {
  Client,
  type OAuthClientProvider,
  StreamableHTTPClientTransport,
  UnauthorizedError,
} from "@modelcontextprotocol/client";

/** An agent that is a page in a browser: the client of the MCP SDK calls Baton and the MCP server from another origin. */

/** What the page uses of a browser, because the project is compiled for Workers and Node. */
declare const location: Pick<URL, "origin" | "pathname" | "search" | "hash"> & {
  assign(url: URL): void;
};
declare const document: { title: string };

/** What must outlive the way to the sign-in and back. */
interface Kept {
  server?: string;
  registration?: Awaited<ReturnType<OAuthClientProvider["clientInformation"]>>;
  tokens?: Awaited<ReturnType<OAuthClientProvider["tokens"]>>;
  verifier?: string;
  discovery?: Parameters<
    NonNullable<OAuthClientProvider["saveDiscoveryState"]>
  >[0];
}

const kept = JSON.parse(localStorage.getItem("agent") ?? "{}") as Kept;

function keep(changes: Kept): void {
  Object.assign(kept, changes);
  localStorage.setItem("agent", JSON.stringify(kept));
}

const provider: OAuthClientProvider = {
  redirectUrl: `${location.origin}/callback`,
  clientMetadata: {
    client_name: "Agent in a page",
    redirect_uris: [`${location.origin}/callback`],
    token_endpoint_auth_method: "none",
  },
  clientInformation: () => kept.registration,
  saveClientInformation: (registration) => keep({ registration }),
  tokens: () => kept.tokens,
  saveTokens: (tokens) => keep({ tokens }),
  redirectToAuthorization: (url) => location.assign(url),
  saveCodeVerifier: (verifier) => keep({ verifier }),
  codeVerifier: () => kept.verifier ?? "",
  saveDiscoveryState: (discovery) => keep({ discovery }),
  discoveryState: () => kept.discovery,
  invalidateCredentials: () => keep({ tokens: undefined }),
};

/** Connects, finishes a sign-in that comes back, and calls a tool. The title says how far it came. */
async function run(server: string): Promise<void> {
  const client = new Client({ name: "page", version: "1.0.0" });
  const transport = () =>
    new StreamableHTTPClientTransport(new URL(server), {
      authProvider: provider,
    });
  if (location.pathname === "/callback")
    await transport().finishAuth(new URLSearchParams(location.search));
  await client.connect(transport());
  const { content } = await client.callTool({
    name: "add_note",
    arguments: { text: "From a page." },
  });
  document.title = (content as { text: string }[])[0]?.text ?? "";
}

const { server = location.hash.slice(1) } = kept;
keep({ server });
run(server).catch((error: unknown) => {
  if (!(error instanceof UnauthorizedError)) document.title = String(error);
});
