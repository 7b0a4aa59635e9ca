import { runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { describe, expect, it } from "vitest";
import type { FamilyState } from "../../../src/oauth/repositories.ts";
import { familiesWith, fault } from "../../support/faults.ts";
import { familyBuilders } from "../../support/family.ts";
import { reasonOf } from "../../support/request-lines.ts";
import { serverWith } from "../../support/server.ts";

/** Tests the list and the end of a user's grants where they are more than one request ends. */

const now = Math.floor(Date.now() / 1000);
const { newFamily } = familyBuilders(now);

function indexOf(subject: string) {
  return env.SUBJECT_INDEX.get(env.SUBJECT_INDEX.idFromName(subject));
}

/** The families of this file, by the ids of their objects. */
const living = new Map<string, FamilyState>();
/** The families that cannot be reached. */
const unreachable = new Set<string>();

/** Families in memory, because objects with storage take a minute where these take a second. */
const TOKEN_FAMILY = familiesWith((id) => {
  const name = id.toString();
  if (unreachable.has(name)) return fault("unreachable");
  return {
    look: async () => living.get(name),
    revoke: async () => ({
      outcome: living.delete(name) ? "revoked" : "ended_before",
    }),
  };
});
const server = serverWith({ TOKEN_FAMILY });

interface Owner {
  client_id: string;
  client_id_issued_at: number;
}

function makeClient(): Promise<Owner> {
  return server.expectAdmin("POST", "/clients", {});
}

/** Makes families of a user, which the real index of the user has. */
async function makeFamilies(
  count: number,
  subject: string,
  { client_id, client_id_issued_at }: Owner,
): Promise<string[]> {
  const login = { subject, client_id, client_issued_at: client_id_issued_at };
  const { key_id: _, ...family } = newFamily({ login });
  const state = { ...family, authorized_at: now, generation: 1 };
  const ids = Array.from({ length: count }, () =>
    env.TOKEN_FAMILY.newUniqueId().toString(),
  );
  for (const id of ids) living.set(id, { ...state, last_used_at: now });
  await runInDurableObject(indexOf(subject), async (index) => {
    for (const id of ids) await index.add(id);
  });
  return ids;
}

async function pagesOf(subject: string, query: Record<string, string>) {
  const pages: number[] = [];
  let cursor: string | undefined;
  do {
    const parameters = new URLSearchParams({
      ...query,
      ...(cursor !== undefined && { cursor }),
    });
    const page = await server.expectAdmin<{
      grants: { client_id: string }[];
      cursor?: string;
    }>("GET", `/subjects/${subject}/grants?${parameters.toString()}`);
    pages.push(page.grants.length);
    cursor = page.cursor;
  } while (cursor !== undefined);
  return pages;
}

function logOut(subject: string, at = server): Promise<Response> {
  return at.admin("DELETE", `/subjects/${subject}/grants`);
}

function sum(numbers: number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}

describe("a user with 1,050 grants", () => {
  it("is logged out by repeated requests, and each says how many grants it has ended", async () => {
    const subject = crypto.randomUUID();
    await makeFamilies(1_050, subject, await makeClient());
    const first = await logOut(subject);
    expect(first.headers.get("Retry-After")).toBe("0");
    expect(reasonOf(first)).toBe("logout_incomplete");
    expect([first.status, await first.json()]).toEqual([
      503,
      {
        error: "temporarily_unavailable",
        error_description: expect.stringContaining("Repeat the request"),
        revoked: 800,
      },
    ]);
    const second = await logOut(subject);
    expect([second.status, await second.json()]).toEqual([
      200,
      { revoked: 250 },
    ]);
    expect(await pagesOf(subject, {})).toEqual([0]);
    expect(await (await logOut(subject)).json()).toEqual({ revoked: 0 });
  });

  it("is told how many grants have ended also if storage fails in between", async () => {
    const subject = crypto.randomUUID();
    const client = await makeClient();
    const [first = ""] = await makeFamilies(120, subject, client);
    unreachable.add(first);
    const failing = await logOut(subject);
    unreachable.delete(first);
    expect(reasonOf(failing)).toBe("storage_unavailable");
    expect([failing.status, await failing.json()]).toEqual([
      503,
      expect.objectContaining({ revoked: 119 }),
    ]);
    expect(await (await logOut(subject)).json()).toEqual({ revoked: 1 });
  });

  it("is told how many grants have ended also if the index cannot remember the logout", async () => {
    const subject = crypto.randomUUID();
    await makeFamilies(3, subject, await makeClient());
    const real = indexOf(subject);
    const index = {
      logOut: () => fault("unreachable"),
      list: (...of: Parameters<typeof real.list>) => real.list(...of),
      remove: (ids: string[]) => real.remove(ids),
    };
    const SUBJECT_INDEX = { idFromName: () => "", get: () => index };
    const failing = await logOut(
      subject,
      serverWith({ TOKEN_FAMILY, SUBJECT_INDEX }),
    );
    expect([failing.status, await failing.json()]).toEqual([
      503,
      expect.objectContaining({ revoked: 3 }),
    ]);
  });
});

describe("GET /admin/subjects/{subject}/grants?client_id=", () => {
  it("lists the grants of one client, over all pages", async () => {
    const subject = crypto.randomUUID();
    const [one, other] = await Promise.all([makeClient(), makeClient()]);
    await makeFamilies(30, subject, one);
    await makeFamilies(20, subject, other);
    const { client_id } = other;
    expect(sum(await pagesOf(subject, { limit: "8" }))).toBe(50);
    expect(sum(await pagesOf(subject, { limit: "8", client_id }))).toBe(20);
    expect(await pagesOf(subject, { client_id: "nobody" })).toEqual([0]);
  });

  it("refuses a value that is not a client id", async () => {
    const path = "/subjects/alice/grants?client_id=%00";
    const response = await server.admin("GET", path);
    expect(reasonOf(response)).toBe("admin_body_invalid");
    expect(await response.json()).toMatchObject({
      fields: { client_id: expect.stringContaining("printable ASCII") },
    });
  });
});
