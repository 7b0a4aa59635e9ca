import { setTimeout } from "node:timers/promises";
import { assertionOf, publicKeyOf } from "./proofs.ts";
import { ADMIN_TOKEN, secretOf } from "./test-keys.ts";
import type { TwoWorkers } from "./two-workers.ts";

/** A client that authenticates with its key. */
export const KEY_CLIENT = "key-holder";

/** What a client, a browser, a sign-in page and an operator send to the front. */

export const REDIRECT_URI = "https://app.example.com/callback";
/** RFC 7636 appendix B. */
const VERIFIER = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

export interface Answer {
  status: number;
  body: Record<string, unknown>;
}

export interface Tokens {
  access_token: string;
  refresh_token: string;
  /** Only with the scope `openid`. */
  id_token: string;
}

export class Session {
  readonly #server: Pick<TwoWorkers, "fetch" | "now">;
  readonly #isPublic: Set<string>;

  /** @param publicClients the ids of the clients without a secret */
  constructor(
    server: Pick<TwoWorkers, "fetch" | "now">,
    publicClients: readonly string[] = ["app"],
  ) {
    this.#server = server;
    this.#isPublic = new Set(publicClients);
  }

  /** Calls the admin API. */
  async admin(
    method: string,
    path: string,
    body?: unknown,
    token = ADMIN_TOKEN,
  ): Promise<Answer> {
    const response = await this.#server.fetch(`/admin${path}`, {
      method,
      headers: {
        Authorization: `Bearer ${token}`,
        "Content-Type": "application/json",
      },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
    return answerOf(response);
  }

  /** Calls the admin API, and expects success. @returns the body */
  async expectAdmin<T = Record<string, unknown>>(
    method: string,
    path: string,
    body?: unknown,
  ): Promise<T> {
    const answer = await this.admin(method, path, body);
    return success(answer, `${method} ${path}`) as T;
  }

  async get(path: string): Promise<Answer> {
    return answerOf(await this.#server.fetch(path));
  }

  /** Makes a client whose secret the tests know. */
  async makeClient(
    client_id: string,
    metadata: Record<string, unknown> = {},
  ): Promise<void> {
    await this.expectAdmin("POST", "/clients", {
      client_id,
      redirect_uris: [REDIRECT_URI],
      scope: "read write",
      ...(client_id === KEY_CLIENT
        ? {
            token_endpoint_auth_method: "private_key_jwt",
            jwks: { keys: [publicKeyOf(client_id)] },
          }
        : this.#isPublic.has(client_id)
          ? { token_endpoint_auth_method: "none" }
          : { client_secret: secretOf(client_id) }),
      ...metadata,
    });
  }

  /**
   * Registers a public client, as an agent does (RFC 7591).
   *
   * @param token an initial access token
   */
  async register(token?: string): Promise<Answer> {
    const response = await this.#server.fetch("/register", {
      method: "POST",
      headers: {
        "Content-Type": "application/json",
        ...(token !== undefined && { Authorization: `Bearer ${token}` }),
      },
      body: JSON.stringify({
        client_name: "An agent",
        redirect_uris: [REDIRECT_URI],
        token_endpoint_auth_method: "none",
      }),
    });
    const answer = await answerOf(response);
    if (response.ok) this.#isPublic.add(String(answer.body["client_id"]));
    return answer;
  }

  /** Reads a registration (RFC 7592). @param token its registration access token */
  async readRegistration(client_id: string, token: string): Promise<Answer> {
    const headers = { Authorization: `Bearer ${token}` };
    const path = `/register/${client_id}`;
    return answerOf(await this.#server.fetch(path, { headers }));
  }

  /** Waits until a client has a record, because the server writes that of a metadata document behind an answer. */
  async untilKept(client_id: string): Promise<void> {
    const path = `/clients/${encodeURIComponent(client_id)}`;
    while ((await this.admin("GET", path)).status === 404) await setTimeout(20);
  }

  /**
   * Begins a login as a back end does.
   *
   * @param claims what the back end says about the user
   */
  async login(
    client_id: string,
    subject: string,
    claims: object = {},
  ): Promise<Tokens> {
    const body = { client_id, subject, ...claims };
    return this.expectAdmin("POST", "/grants", body);
  }

  /** @param proof a DPoP proof; left out: the client sends none */
  refresh(
    client_id: string,
    refresh_token: string,
    proof?: string,
  ): Promise<Answer> {
    const form = { grant_type: "refresh_token", refresh_token };
    return this.#post("/access_token", client_id, form, proof);
  }

  async expectRefresh(
    client_id: string,
    token: string,
    proof?: string,
  ): Promise<Tokens> {
    const answer = await this.refresh(client_id, token, proof);
    return success(answer, "a refresh") as unknown as Tokens;
  }

  ownToken(client_id: string, client_secret?: string): Promise<Answer> {
    const secret = client_secret === undefined ? {} : { client_secret };
    return this.#post("/access_token", client_id, {
      grant_type: "client_credentials",
      ...secret,
    });
  }

  introspect(client_id: string, token: string): Promise<Answer> {
    return this.#post("/introspect", client_id, { token });
  }

  revoke(client_id: string, token: string): Promise<Answer> {
    return this.#post("/revoke", client_id, { token });
  }

  /** Calls the UserInfo endpoint. */
  async userInfo(access_token: string): Promise<Answer> {
    const headers = { Authorization: `Bearer ${access_token}` };
    return answerOf(await this.#server.fetch("/userinfo", { headers }));
  }

  /** Signs out at an app in a browser. @returns the request that the sign-out page gets */
  async signOut(id_token_hint: string, more: object = {}): Promise<string> {
    const query = new URLSearchParams({ id_token_hint, ...more });
    const response = await this.#server.fetch(
      `/end_session?${query.toString()}`,
    );
    return parameterOf(response.headers.get("Location"), "request");
  }

  /**
   * Begins a sign-in in a browser.
   *
   * @param more parameters of the request
   * @returns the request that the sign-in page gets
   */
  async authorize(client_id: string, more: object = {}): Promise<string> {
    const query = new URLSearchParams({
      response_type: "code",
      client_id,
      redirect_uri: REDIRECT_URI,
      state: "xyz",
      code_challenge: CHALLENGE,
      code_challenge_method: "S256",
      ...more,
    });
    const response = await this.#server.fetch(`/authorize?${query.toString()}`);
    return parameterOf(response.headers.get("Location"), "request");
  }

  /** Signs the user in. @returns the code that the client gets */
  async decide(
    request: string,
    subject: string,
    claims: object = {},
  ): Promise<string> {
    const { redirect_to } = await this.expectAdmin<{ redirect_to: string }>(
      "POST",
      "/authorizations",
      { request, subject, ...claims },
    );
    return parameterOf(redirect_to, "code");
  }

  async codeFor(
    client_id: string,
    subject: string,
    {
      claims = {},
      ...more
    }: { claims?: object } & Record<string, unknown> = {},
  ): Promise<string> {
    const request = await this.authorize(client_id, more);
    return this.decide(request, subject, claims);
  }

  /** @param proof a DPoP proof; left out: the client sends none */
  redeem(client_id: string, code: string, proof?: string): Promise<Answer> {
    const form = {
      grant_type: "authorization_code",
      code,
      redirect_uri: REDIRECT_URI,
      code_verifier: VERIFIER,
    };
    return this.#post("/access_token", client_id, form, proof);
  }

  async expectRedeem(
    client_id: string,
    code: string,
    proof?: string,
  ): Promise<Tokens> {
    const answer = await this.redeem(client_id, code, proof);
    return success(answer, "a code's exchange") as unknown as Tokens;
  }

  async #credentialsOf(client_id: string): Promise<Record<string, string>> {
    if (client_id === KEY_CLIENT)
      return assertionOf(client_id, this.#server.now());
    return this.#hasNoSecret(client_id)
      ? {}
      : { client_secret: secretOf(client_id) };
  }

  /** Tells whether a client has no secret. The clients of metadata documents have none. */
  #hasNoSecret(client_id: string): boolean {
    return this.#isPublic.has(client_id) || client_id.startsWith("https:");
  }

  async #post(
    path: string,
    client_id: string,
    form: Record<string, string>,
    proof?: string,
  ): Promise<Answer> {
    const body = {
      client_id,
      ...(await this.#credentialsOf(client_id)),
      ...form,
    };
    const response = await this.#server.fetch(path, {
      method: "POST",
      headers: {
        "Content-Type": "application/x-www-form-urlencoded",
        ...(proof !== undefined && { DPoP: proof }),
      },
      body: new URLSearchParams(body).toString(),
    });
    return answerOf(response);
  }
}

async function answerOf(response: Response): Promise<Answer> {
  const text = await response.text();
  const body = (text ? JSON.parse(text) : {}) as Record<string, unknown>;
  return { status: response.status, body };
}

function success({ status, body }: Answer, what: string) {
  if (status >= 300)
    throw new Error(`${what}: ${status} ${JSON.stringify(body)}`);
  return body;
}

function parameterOf(url: string | null, name: string): string {
  const value = new URL(url ?? "").searchParams.get(name);
  if (value === null) throw new Error(`${url} has no ${name}`);
  return value;
}
