import { runDurableObjectAlarm } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { storageOf } from "../support/league.ts";
import {
  refusal,
  server,
  serverWith,
  type TestClient,
} from "../support/server.ts";

/** A login follows a `refresh_token_max_age` that was cut after it began, at its next refresh. */

const T0 = 1_900_000_000;
const DAY = 86_400;

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["Date"], now: T0 * 1000 });
});

afterEach(() => {
  vi.useRealTimers();
});

function atDay(day: number): void {
  vi.setSystemTime((T0 + day * DAY) * 1000);
}

async function setMaxAge(
  { client_id }: TestClient,
  refresh_token_max_age: string | null,
): Promise<void> {
  const body = { refresh_token_max_age };
  await server.expectAdmin("PATCH", `/clients/${client_id}`, body);
}

describe("a living login, when its client's longest life was cut", () => {
  it("ends at the new age: its next token expires then", async () => {
    const client = await server.makeClient();
    const { refresh_token } = await server.login(client);
    await setMaxAge(client, "P10D");
    atDay(1);
    const next = await server.expectRefresh(client, refresh_token);
    atDay(10);
    const response = await server.refresh(client, next.refresh_token);
    expect(await refusal(response)).toEqual([
      400,
      "invalid_grant",
      "family_too_old",
    ]);
  });

  it("is refused at its next refresh if it is older already, and leaves nothing behind", async () => {
    const client = await server.makeClient();
    const subject = crypto.randomUUID();
    const { refresh_token } = await server.login(client, { subject });
    const { grants } = await server.expectAdmin<{
      grants: [{ grant_id: string }];
    }>("GET", `/subjects/${subject}/grants`);
    atDay(10);
    await setMaxAge(client, "P10D");
    const first = await server.refresh(client, refresh_token);
    expect(await refusal(first)).toEqual([
      400,
      "invalid_grant",
      "family_too_old",
    ]);
    // A longer life does not bring it back.
    await setMaxAge(client, null);
    const second = await server.refresh(client, refresh_token);
    expect(await refusal(second)).toEqual([
      400,
      "invalid_grant",
      "family_ended",
    ]);
    const id = env.TOKEN_FAMILY.idFromString(grants[0].grant_id);
    const object = env.TOKEN_FAMILY.get(id);
    await runDurableObjectAlarm(object);
    expect(await storageOf(object)).toEqual({ rows: 0, alarm: null });
  });

  it("keeps the shorter life when the longest life grows again", async () => {
    const client = await server.makeClient({ refresh_token_max_age: "P10D" });
    const { refresh_token } = await server.login(client);
    await setMaxAge(client, "P1Y");
    atDay(9);
    const next = await server.expectRefresh(client, refresh_token);
    atDay(10);
    const response = await server.refresh(client, next.refresh_token);
    expect(await refusal(response)).toEqual([
      400,
      "invalid_grant",
      "family_too_old",
    ]);
  });

  it("follows the configuration, too", async () => {
    const client = await server.makeClient();
    const { refresh_token } = await server.login(client);
    atDay(3);
    const strict = serverWith({ REFRESH_TOKEN_MAX_AGE: "P2D" });
    const response = await strict.refresh(client, refresh_token);
    expect(await refusal(response)).toEqual([
      400,
      "invalid_grant",
      "family_too_old",
    ]);
  });
});
