import { REDIRECT_URI, type Session, type Tokens } from "./session.ts";

/** The URL of a metadata document, which is the id of its client. */
export const AGENT_URL = "https://agent.example/client.json";
/** A protected resource that is open to clients that registered themselves. Its tokens have another audience. */
export const NOTES = "https://mcp.example.com/notes";
export const NOTES_AUDIENCE = "notes-of-example";
/** A protected resource that only a client's record opens. */
export const FILES = "https://files.example.com";

/** The settings of a server that agents sign in at. */
export const agentVariables = {
  CLIENT_ID_METADATA_DOCUMENTS: "on",
  DYNAMIC_REGISTRATION: "open",
  OFFLINE_ACCESS_REQUIRED: "on",
};

/** Answers what the server asks of the agent's website. There is nothing else on the internet. */
export function agentWebsite({ url }: Request): Response {
  if (url !== AGENT_URL) return new Response(null, { status: 503 });
  return Response.json({
    client_id: AGENT_URL,
    client_name: "An agent with a website",
    redirect_uris: [REDIRECT_URI],
    token_endpoint_auth_method: "none",
  });
}

/** What the sign-in page sends when the user has agreed. */
export const consent = { consent: true };

/** What an agent asks for. */
export const asked = { resource: NOTES, scope: "notes:read offline_access" };

/** Makes the scopes, the catalogue of resources and the clients of an administrator. */
export async function makeResources(baton: Session): Promise<void> {
  for (const scope of ["notes:read", "notes:write", "files:read"])
    await baton.expectAdmin("PUT", `/scopes/${scope}`, { description: scope });
  await putResource(baton, NOTES, {
    name: "Notes",
    scope: "notes:read notes:write",
    audience: NOTES_AUDIENCE,
    access_token_ttl: "P40Y",
    self_registered_clients: true,
  });
  await putResource(baton, FILES, {
    scope: "files:read",
    access_token_format: "league",
  });
  await baton.makeClient("assistant", {
    scope: "notes:read files:read",
    resources: [NOTES, FILES],
    refresh_without_offline_access: true,
  });
}

/** Adds a resource to the catalogue, or changes it. */
export function putResource(baton: Session, uri: string, members: object) {
  const path = `/resources/${encodeURIComponent(uri)}`;
  return baton.expectAdmin("PUT", path, members);
}

/** Signs a user in at an agent. */
export async function signIn(
  baton: Session,
  client_id: string,
  subject: string,
): Promise<Tokens> {
  const code = await baton.codeFor(client_id, subject, {
    ...asked,
    claims: consent,
  });
  return baton.expectRedeem(client_id, code);
}

/** Makes the server store what belongs to agents. @returns what is in flight */
export async function makeAgentRecords(
  baton: Session,
): Promise<Record<string, string>> {
  await makeResources(baton);
  const { body: registered } = await baton.register();
  const registered_id = String(registered["client_id"]);
  const registration_token = String(registered["registration_access_token"]);

  const ann = await signIn(baton, AGENT_URL, "ann");
  await baton.untilKept(AGENT_URL);
  const ben = await signIn(baton, registered_id, "ben");
  const cleo = await baton.expectRedeem(
    "assistant",
    await baton.codeFor("assistant", "cleo", { resource: NOTES }),
  );

  // One refresh token ends because it is not used, the other with its login.
  const life = { scope: "notes:read", refresh_without_offline_access: true };
  await baton.makeClient("idle", { ...life, refresh_token_ttl: "PT2M" });
  await baton.makeClient("aged", { ...life, refresh_token_max_age: "PT2M" });
  const idle = await baton.login("idle", "dora");
  const aged = await baton.login("aged", "dora");

  // A client that came by itself, and was disabled.
  const { body: blocked } = await baton.register();
  const blocked_id = String(blocked["client_id"]);
  const blockedLogin = await signIn(baton, blocked_id, "ben");
  await baton.expectAdmin("PATCH", `/clients/${blocked_id}`, {
    disabled: true,
  });

  const { token } = await baton.expectAdmin<{ token: string }>(
    "POST",
    "/tokens",
    { name: "agents-of-test", role: "register" },
  );
  return {
    agent_access: ann.access_token,
    agent_refresh: ann.refresh_token,
    registered_id,
    registration_token,
    registered_refresh: ben.refresh_token,
    blocked_id,
    blocked_refresh: blockedLogin.refresh_token,
    assistant_refresh: cleo.refresh_token,
    idle_refresh: idle.refresh_token,
    aged_refresh: aged.refresh_token,
    initial_access_token: token,
    agent_request: await baton.authorize(AGENT_URL, asked),
    registered_request: await baton.authorize(registered_id, asked),
    agent_code: await baton.codeFor(AGENT_URL, "ann", {
      ...asked,
      claims: consent,
    }),
    registered_code: await baton.codeFor(registered_id, "ben", {
      ...asked,
      claims: consent,
    }),
  };
}
