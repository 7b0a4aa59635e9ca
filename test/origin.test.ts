import { describe, expect, it } from "vitest";
import { shown } from "./support/refusals.ts";
import { reasonOf } from "./support/request-lines.ts";
import { refusal, server, serverWith } from "./support/server.ts";

/** Where a request was sent to: scheme and host. */

const HOST = "auth.example.com";

/** Sends requests as the platform makes them of requests from outside: Host is that of the URL. */
function outside(origin: string, bindings: Record<string, unknown> = {}) {
  const target = serverWith(bindings);
  return (
    path: string,
    init: RequestInit = {},
    host = new URL(origin).host,
  ) => {
    const headers = new Headers(init.headers);
    headers.set("Host", host);
    return target.fetch(
      new Request(origin + path, { ...init, headers, redirect: "manual" }),
    );
  };
}

const form = { method: "POST", body: new URLSearchParams({ client_id: "x" }) };
const httpsRequired = [400, "invalid_request", "https_required"];
const hostUnknown = [404, "not_found", "host_not_allowed"];

describe("plain http", () => {
  const plain = outside(`http://${HOST}`);

  it.each(["/access_token", "/revoke", "/introspect", "/admin/grants", "/x"])(
    "gets no tokens: POST %s is 400 with a sentence that says why",
    async (path) => {
      const response = await plain(path, form);
      const { error_description } = await response
        .clone()
        .json<{ error_description: string }>();
      expect(error_description).toContain("plain http");
      expect(await refusal(response)).toEqual(httpsRequired);
    },
  );

  it.each(["PUT", "PATCH", "DELETE", "OPTIONS"])(
    "is 400 for %s too",
    async (method) => {
      const response = await plain("/access_token", { method });
      expect(await refusal(response)).toEqual(httpsRequired);
    },
  );

  it.each(["GET", "HEAD"])("is redirected to https for %s", async (method) => {
    for (const path of ["/authorize?a=1&b=%20", "/health", "/x"]) {
      const response = await plain(path, { method });
      expect([response.status, response.headers.get("Location")]).toEqual([
        308,
        `https://${HOST}${path}`,
      ]);
    }
  });

  it("is redirected without its port, which does not serve https", async () => {
    const response = await outside(`http://${HOST}:8080`)("/health");
    expect(response.headers.get("Location")).toBe(`https://${HOST}/health`);
  });

  it("is refused in a way that a page of another origin can read", async () => {
    const response = await plain("/access_token", form);
    expect(response.headers.get("Access-Control-Allow-Origin")).toBe("*");
  });

  it("is not https because a header says so", async () => {
    const headers = {
      "X-Forwarded-Proto": "https",
      "CF-Visitor": '{"scheme":"https"}',
      Forwarded: "proto=https",
    };
    const response = await plain("/access_token", { ...form, headers });
    expect(await refusal(response)).toEqual(httpsRequired);
  });

  it("is refused with another spelling of the Host", async () => {
    for (const host of [`${HOST}:80`, HOST.toUpperCase()]) {
      const response = await plain("/access_token", form, host);
      expect(await refusal(response)).toEqual(httpsRequired);
    }
  });

  it.each([
    "http://localhost",
    "http://localhost:8787",
    "http://127.0.0.1:8787",
    "http://[::1]:8787",
  ])("to %s is answered: it does not leave the machine", async (origin) => {
    const local = outside(origin, { ALLOWED_HOSTS: HOST });
    expect((await local("/health")).status).toBe(200);
    expect(await refusal(await local("/access_token", form))).toEqual([
      400,
      "invalid_request",
      "parameter_missing",
    ]);
  });

  it.each([
    "http://localhost.example.com",
    "http://127.0.0.1.example.com",
    "http://192.168.0.1:8787",
  ])("to %s is refused: it is not a loopback address", async (origin) => {
    const response = await outside(origin)("/access_token", form);
    expect(await refusal(response)).toEqual(httpsRequired);
  });
});

describe("https", () => {
  it("is required of a browser from then on, by every answer", async () => {
    for (const path of ["/health", "/access_token", "/x", "/admin/scopes"]) {
      const response = await outside(`https://${HOST}`)(path);
      expect(response.headers.get("Strict-Transport-Security")).toBe(
        "max-age=31536000",
      );
    }
  });

  it("is not required by an answer to plain http, nor on a loopback address", async () => {
    for (const origin of [
      `http://${HOST}`,
      "http://localhost:8787",
      "https://localhost:8787",
      "https://127.0.0.1",
      "https://[::1]:8787",
    ]) {
      const response = await outside(origin)("/health");
      expect(response.headers.get("Strict-Transport-Security")).toBeNull();
    }
  });
});

describe("ALLOWED_HOSTS", () => {
  const bindings = { ALLOWED_HOSTS: `${HOST}, login.example.com` };
  const other = "baton.example.workers.dev";

  it("makes every path of another host 404", async () => {
    for (const scheme of ["https", "http"]) {
      const elsewhere = outside(`${scheme}://${other}`, bindings);
      for (const path of ["/health", "/access_token", "/admin/scopes", "/x"])
        for (const method of ["GET", "POST", "OPTIONS"]) {
          const response = await elsewhere(path, { method });
          expect(await refusal(response)).toEqual(hostUnknown);
        }
      expect(await shown(await elsewhere("/authorize"))).toEqual(hostUnknown);
    }
  });

  it("lets its own hosts in, at any port and in any case", async () => {
    for (const host of [HOST, `${HOST}:8443`, "LOGIN.example.com"]) {
      const response = await outside(`https://${host}`, bindings)("/health");
      expect(response.status).toBe(200);
    }
  });

  it("left out or empty lets every host in", async () => {
    for (const ALLOWED_HOSTS of [undefined, ""]) {
      const open = outside(`https://${other}`, { ALLOWED_HOSTS });
      expect((await open("/health")).status).toBe(200);
    }
  });

  it.each([
    `https://${HOST}`,
    `${HOST}:443`,
    `${HOST}/`,
    "AUTH.example.com",
    "a b",
    `${HOST},`,
    `${HOST},*.example.com`,
    `${HOST},Login.example.com`,
    "login.example.com",
  ])("must not be %j", async (ALLOWED_HOSTS) => {
    const response = await serverWith({ ALLOWED_HOSTS }).health();
    expect([response.status, await response.json()]).toEqual([
      503,
      {
        status: "failing",
        problems: [{ name: "ALLOWED_HOSTS", problem: expect.any(String) }],
      },
    ]);
  });

  it("need not contain the host of an ISSUER on this machine", async () => {
    const local = { ISSUER: "http://localhost:8787", ALLOWED_HOSTS: HOST };
    expect((await serverWith(local).health()).status).toBe(200);
  });
});

describe("another Worker with a service binding", () => {
  const strict = serverWith({ ALLOWED_HOSTS: HOST });
  const call = (url: string, init: RequestInit = {}) =>
    strict.fetch(new Request(url, init));

  it("may call by any scheme and host", async () => {
    for (const url of [
      "http://baton",
      "https://x",
      "http://auth.example.com",
    ]) {
      const response = await call(`${url}/access_token`, form);
      expect(await refusal(response)).toEqual([
        400,
        "invalid_request",
        "parameter_missing",
      ]);
    }
  });

  it("may copy the headers of a request that came from outside", async () => {
    const headers = {
      Host: "www.example.com",
      "CF-Connecting-IP": "192.0.2.1",
    };
    const response = await call("http://baton/health", { headers });
    expect(response.status).toBe(200);
  });

  it("that passes on a request as it came does not hide plain http", async () => {
    const headers = { Host: "www.example.com" };
    const passedOn = await server.fetch(
      new Request("http://www.example.com/access_token", { ...form, headers }),
    );
    expect(await refusal(passedOn)).toEqual(httpsRequired);
  });
});

describe("a Host that makes no URL", () => {
  it.each(["a b", "a%zz", "[::1", "a:99999", "a/b", "a?b", "a#b", "u@a", "<>"])(
    "(%s) is 400 everywhere",
    async (host) => {
      for (const path of ["/access_token", "/health", "/admin/scopes", "/x"]) {
        const response = await server.http(path, { headers: { Host: host } });
        expect(await refusal(response)).toEqual([
          400,
          "invalid_request",
          "host_malformed",
        ]);
      }
      const page = await server.http("/authorize", {
        headers: { Host: host },
      });
      expect([page.status, reasonOf(page)]).toEqual([400, "host_malformed"]);
    },
  );
});
