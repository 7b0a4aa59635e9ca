import { afterEach, describe, expect, it, vi } from "vitest";
import { blobs, type DataPoint, doubles } from "../../src/oauth/metrics.ts";
import { listenToLog, parsedLog } from "../support/log.ts";
import { server, serverWith, type TestServer } from "../support/server.ts";

/** Tests the data points of the metrics: one for each request, and nothing in it that names a person. */

afterEach(() => vi.restoreAllMocks());

/** A server with metrics, and the points that it writes, by the names of their columns. */
function measured(bindings: object = {}) {
  const points: Record<string, string | number>[] = [];
  const indexes: string[] = [];
  const METRICS = {
    writeDataPoint(point: DataPoint) {
      const named = [
        ...blobs.map((name, position) => [name, point.blobs[position]]),
        ...doubles.map((name, position) => [name, point.doubles[position]]),
      ];
      points.push(Object.fromEntries(named) as Record<string, string>);
      indexes.push(...point.indexes);
    },
  };
  const to: TestServer = serverWith({ METRICS, ...bindings });
  return { to, points, indexes };
}

describe("the data point of a request", () => {
  it("says everything about a refresh that the questions of an operator need, and nothing about its user", async () => {
    const CF_VERSION_METADATA = { id: "a-version", tag: "", timestamp: "" };
    const { to, points, indexes } = measured({ CF_VERSION_METADATA });
    const client = await server.makeClient();
    const { client_id } = client;
    const subject = crypto.randomUUID();
    const { refresh_token } = await server.login(client, { subject });
    await to.expectRefresh(client, refresh_token);
    expect(points).toEqual([
      {
        endpoint: "/access_token",
        method: "POST",
        status: "200",
        outcome: "ok",
        reason: "",
        grant_type: "refresh_token",
        client_id,
        location: "",
        version: "a-version",
        reuse: "",
        duration: expect.any(Number) as number,
        client: expect.any(Number) as number,
        scopes: expect.any(Number) as number,
        family: expect.any(Number) as number,
        sign: expect.any(Number) as number,
        encrypt: 0,
      },
    ]);
    expect(points[0]!["duration"]).toBeGreaterThanOrEqual(
      Number(points[0]!["family"]),
    );
    expect(indexes).toEqual([client_id]);
    expect(JSON.stringify(points)).not.toContain(subject);
  });

  it("says why a request was refused, and how a used token came back", async () => {
    const { to, points } = measured();
    const strict = await server.makeClient();
    const patient = await server.makeClient({
      refresh_token_retry_window: "PT1M",
    });
    for (const client of [patient, strict]) {
      const { refresh_token } = await server.login(client);
      await server.expectRefresh(client, refresh_token);
      await to.refresh(client, refresh_token);
      await to.refresh(client, refresh_token);
    }
    await to.refresh({ ...strict, client_secret: "wrong" }, "x");
    const columns = points.map(({ outcome, reason, reuse, client_id }) => [
      outcome,
      reason,
      reuse,
      client_id,
    ]);
    expect(columns).toEqual([
      ["ok", "", "retry", patient.client_id],
      ["ok", "", "retry", patient.client_id],
      ["invalid_grant", "refresh_token_reused", "late_retry", strict.client_id],
      ["invalid_grant", "family_ended", "", strict.client_id],
      ["invalid_client", "client_secret_wrong", "", strict.client_id],
    ]);
  });

  it("has the endpoint as its index if there is no client, and never more bytes than an index may have", async () => {
    const { to, points, indexes } = measured();
    const client_id = "c".repeat(200);
    const client = await server.makeClient({ client_id });
    await to.http("/health");
    await to.http("/secret-path");
    await to.refresh(client, "x");
    expect(indexes).toEqual(["/health", "none", "c".repeat(96)]);
    expect(points.map((point) => point["client_id"])).toEqual([
      "",
      "",
      client_id,
    ]);
  });

  it("that cannot be written harms no request", async () => {
    const lines = listenToLog();
    const writeDataPoint = () => {
      throw new Error("too many");
    };
    const failing = serverWith({ METRICS: { writeDataPoint } });
    expect((await failing.http("/health")).status).toBe(200);
    expect(parsedLog(lines)).toContainEqual({
      event: "event_delivery.failed",
      time: expect.any(Number) as number,
      to: "metrics",
      error: "Error: too many",
    });
  });
});
