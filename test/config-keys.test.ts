import { generateKeyPairSync } from "node:crypto";
import { decodeProtectedHeader, type JSONWebKeySet } from "jose";
import {
  afterEach,
  beforeEach,
  describe,
  expect,
  inject,
  it,
  vi,
} from "vitest";
import {
  newEncryptionKey,
  newPem,
  setClock,
  startingAfter,
} from "./support/rotation.ts";
import { serverWith, type TestServer } from "./support/server.ts";

/** Labelled secrets with keys, and start times: which forms are read, which are named in /health, and which key makes. */

const keys = inject("testKeys");
const [one, two, three] = [
  newEncryptionKey(),
  newEncryptionKey(),
  newEncryptionKey(),
];
const [pem, otherPem] = [newPem(), newPem()];
const DAY = 86_400;

beforeEach(() => setClock(0));

afterEach(() => {
  vi.useRealTimers();
});

async function problemsOf(overrides: Record<string, unknown>) {
  const health = await serverWith(overrides).health();
  const { problems = [] } = await health.json<{
    problems?: { name: string; problem: string }[];
  }>();
  expect(health.status).toBe(problems.length > 0 ? 503 : 200);
  return problems;
}

function jwkOf(curve: string, more: object = {}): Record<string, unknown> {
  const { privateKey } = generateKeyPairSync("ec", { namedCurve: curve });
  return { ...privateKey.export({ format: "jwk" }), ...more };
}

const jwk = jwkOf("P-256");

const malformed: [string, string, Record<string, unknown>, RegExp][] = [
  [
    "a label in lower case",
    "ENCRYPTION_KEY_new",
    { ENCRYPTION_KEY_new: two },
    /capital letters, digits and _/,
  ],
  [
    "a label that begins with _",
    "PRIVATE_KEY__A",
    { PRIVATE_KEY__A: otherPem },
    /capital letters, digits and _/,
  ],
  [
    "no label after the _",
    "PRIVATE_KEY_",
    { PRIVATE_KEY_: otherPem },
    /capital letters, digits and _/,
  ],
  [
    "a label of 33 characters",
    `ENCRYPTION_KEY_${"A".repeat(33)}`,
    { [`ENCRYPTION_KEY_${"A".repeat(33)}`]: two },
    /at most 32/,
  ],
  [
    "a label without the _",
    "ENCRYPTION_KEY2",
    { ENCRYPTION_KEY2: two },
    /ENCRYPTION_KEY_/,
  ],
  [
    "a value that is not a string",
    "ENCRYPTION_KEY_B",
    { ENCRYPTION_KEY_B: 7 },
    /string/,
  ],
  [
    "two keys in a labelled secret",
    "ENCRYPTION_KEY_B",
    { ENCRYPTION_KEY_B: `${two},${three}` },
    /has 2 keys, and must have one/,
  ],
  [
    "a JWK set of two in a labelled secret",
    "PRIVATE_KEY_B",
    { PRIVATE_KEY_B: JSON.stringify({ keys: [jwk, jwkOf("P-256")] }) },
    /has 2 keys, and must have one/,
  ],
  [
    "a start time before a list",
    "ENCRYPTION_KEY",
    { ENCRYPTION_KEY: startingAfter(-1, `${one},${two}`) },
    /has 2 keys, and must have one/,
  ],
  [
    "the same key in two secrets",
    "ENCRYPTION_KEY_B",
    {
      ENCRYPTION_KEY: `${one},${two}`,
      ENCRYPTION_KEY_B: startingAfter(9, two),
    },
    /the same key as ENCRYPTION_KEY$/,
  ],
  [
    "the same key in two secrets, in two spellings",
    "ENCRYPTION_KEY_C",
    { ENCRYPTION_KEY_B: two, ENCRYPTION_KEY_C: two.replace("=", "") },
    /the same key as ENCRYPTION_KEY_B$/,
  ],
  [
    "the same private key in two secrets, with another kid",
    "PRIVATE_KEY_B",
    {
      PRIVATE_KEY: JSON.stringify(jwk),
      PRIVATE_KEY_B: JSON.stringify({ ...jwk, kid: "another" }),
    },
    /the same key as PRIVATE_KEY$/,
  ],
  [
    "two private keys with one kid in two secrets",
    "PRIVATE_KEY_B",
    {
      PRIVATE_KEY: JSON.stringify({ ...jwk, kid: "same" }),
      PRIVATE_KEY_B: JSON.stringify(jwkOf("P-256", { kid: "same" })),
    },
    /the same kid as a key in PRIVATE_KEY$/,
  ],
  [
    "a public key that would sign",
    "PRIVATE_KEY_B",
    {
      PRIVATE_KEY_B: startingAfter(9, JSON.stringify({ ...jwk, d: undefined })),
    },
    /no private half/,
  ],
  [
    "halves that do not belong together in a key that starts later",
    "PRIVATE_KEY_B",
    {
      PRIVATE_KEY_B: startingAfter(
        DAY,
        JSON.stringify({ ...jwk, d: jwkOf("P-256")["d"] }),
      ),
    },
    /belong together|malformed/,
  ],
  [
    "a key that is none",
    "PRIVATE_KEY_B",
    { PRIVATE_KEY_B: startingAfter(9, "nonsense") },
    /neither a PEM nor JSON/,
  ],
  [
    "a file's name",
    "PRIVATE_KEY_B",
    { PRIVATE_KEY_B: startingAfter(9, "~/new-key.pem") },
    /put PRIVATE_KEY_B < FILE$/,
  ],
  [
    "a key that is too short",
    "ENCRYPTION_KEY_B",
    { ENCRYPTION_KEY_B: startingAfter(9, "c2hvcnQ=") },
    /^must be the base64 of 32 random bytes \(openssl rand -base64 32\)$/,
  ],
  [
    "its name before it",
    "ENCRYPTION_KEY_B",
    { ENCRYPTION_KEY_B: `ENCRYPTION_KEY_B=${two}` },
    /begins with ENCRYPTION_KEY_B=/,
  ],
  [
    "an encryption key that starts later, and no other",
    "ENCRYPTION_KEY_B",
    {
      ENCRYPTION_KEY: undefined,
      ENCRYPTION_KEY_A: startingAfter(2 * DAY, one),
      ENCRYPTION_KEY_B: startingAfter(DAY, two),
    },
    /^starts at 2090-11-27T12:00:00Z, and before that no key/,
  ],
  [
    "a private key that starts later, and no other",
    "PRIVATE_KEY",
    { PRIVATE_KEY: startingAfter(DAY, pem) },
    /^starts at 2090-11-27T12:00:00Z, and before that no key/,
  ],
  [
    "a start time in more than a year",
    "PRIVATE_KEY_B",
    { PRIVATE_KEY_B: startingAfter(366 * DAY, otherPem) },
    /more than a year/,
  ],
  [
    "a start time and nothing after it",
    "ENCRYPTION_KEY_B",
    { ENCRYPTION_KEY_B: startingAfter(9, "") },
    /32 random bytes/,
  ],
  [
    "a start time inside base64 of the whole file",
    "PRIVATE_KEY_B",
    { PRIVATE_KEY_B: btoa(startingAfter(9, otherPem)) },
    /must begin with its start time/,
  ],
  [
    "a start time after the key",
    "PRIVATE_KEY_B",
    { PRIVATE_KEY_B: `${otherPem};from=2026-12-01T10:00:00Z` },
    /must begin with its start time/,
  ],
  [
    "two start times",
    "PRIVATE_KEY_B",
    { PRIVATE_KEY_B: startingAfter(9, startingAfter(9, otherPem)) },
    /must begin with its start time/,
  ],
  ...[
    "from=2026-12-01;",
    "from=2026-12-01T10:00Z;",
    "from=2026-12-01T10:00:00;",
    "from=2026-12-01T10:00:00+01:00;",
    "from=2026-12-01T10:00:00.5Z;",
    "from=2026-12-01t10:00:00z;",
    "from=2026-13-01T10:00:00Z;",
    "from=2026-02-30T10:00:00Z;",
    "from=2026-12-01T24:00:00Z;",
    "from=1796119200;",
    "from=;",
    "from=2026-12-01T10:00:00Z",
    "from=2026-12-01T10:00:00Z ",
    "from=2026-12-01T10:00:00Z\n",
    "from: 2026-12-01T10:00:00Z;",
    "from 2026-12-01T10:00:00Z;",
  ].flatMap((start): typeof malformed => [
    [
      `the start ${JSON.stringify(start)}`,
      "ENCRYPTION_KEY_B",
      { ENCRYPTION_KEY_B: start + two },
      /start time.*from=2026-12-01T10:00:00Z;/,
    ],
    [
      `the start ${JSON.stringify(start)} of a PEM in quotation marks`,
      "PRIVATE_KEY_B",
      { PRIVATE_KEY_B: `"${start}${otherPem}"` },
      /start time.*from=2026-12-01T10:00:00Z;/,
    ],
  ]),
];

describe("a labelled secret", () => {
  it.each(malformed)(
    "with %s is named: %s",
    async (_, name, overrides, problem) => {
      const problems = await problemsOf(overrides);
      expect(problems).toEqual([
        { name, problem: expect.stringMatching(problem) as string },
      ]);
      const quoted = Object.values(overrides).filter(
        (value) =>
          typeof value === "string" &&
          value !== "" &&
          problems[0]?.problem.includes(value),
      );
      expect(quoted).toEqual([]);
    },
  );

  it("that is malformed is named beside every other problem", async () => {
    const problems = await problemsOf({
      ISSUER: "",
      ENCRYPTION_KEY_B: "x",
      ENCRYPTION_KEY_C: "from=x;y",
      PRIVATE_KEY_B: "x",
      PRIVATE_KEY_C: "y",
      PRIVATE_KEY_d: "z",
    });
    expect(problems.map(({ name }) => name).toSorted()).toEqual([
      "ENCRYPTION_KEY_B",
      "ENCRYPTION_KEY_C",
      "ISSUER",
      "PRIVATE_KEY_B",
      "PRIVATE_KEY_C",
      "PRIVATE_KEY_d",
    ]);
  });

  it.each(["", '""', " \n"])(
    "that is empty (%j) counts as not set",
    async (value) => {
      expect(
        await problemsOf({
          ENCRYPTION_KEY_B: value,
          PRIVATE_KEY_B: value,
          PRIVATE_KEY_x: value,
        }),
      ).toEqual([]);
    },
  );

  it("whose key has not started begins to make by itself, also where the server could not work before", async () => {
    const waiting = serverWith({
      ENCRYPTION_KEY: undefined,
      ENCRYPTION_KEY_B: startingAfter(60, two),
    });
    expect((await waiting.health()).status).toBe(503);
    setClock(60);
    expect((await waiting.health()).status).toBe(200);
  });
});

/** `[description, what becomes of the value]` */
const wrappings: [string, (value: string) => string][] = [
  ["nothing", (value) => value],
  ["white space", (value) => ` \r\n\t${value}\r\n `],
  ["a byte order mark", (value) => `\ufeff${value}`],
  ["double quotes", (value) => `"${value}"`],
  ["single quotes", (value) => `'${value}'\n`],
  ["two kinds of quotes", (value) => `'"${value}"'`],
  ["spaces in the start", (value) => value.replace("from=", "from = ")],
  ["a capital letter in the start", (value) => value.replace("from", "From")],
  ["a space after the start", (value) => value.replace(";", "; ")],
  ["a line break after the start", (value) => value.replace(";", ";\n")],
  [
    "a literal line break after the start",
    (value) => value.replace(";", ";\\n"),
  ],
  ["quotes around the key alone", (value) => `${value.replace(";", ';"')}"`],
];

/** Makes a token at a server. @returns the ids of the keys that made and signed it */
async function makersAt(at: TestServer) {
  const client = await at.makeClient();
  const { refresh_token, access_token } = await at.login(client);
  return {
    encryption: refresh_token.slice("baton_rt_".length).slice(0, 6),
    private: decodeProtectedHeader(access_token).kid,
  };
}

describe("a start time before a value", () => {
  it.each(wrappings)("is read with %s around", async (_, wrap) => {
    const expected = await makersAt(
      serverWith({ ENCRYPTION_KEY: two, PRIVATE_KEY: otherPem }),
    );
    const started = serverWith({
      ENCRYPTION_KEY_B: wrap(startingAfter(-60, two)),
      PRIVATE_KEY_B: wrap(startingAfter(-60, otherPem)),
    });
    expect(await makersAt(started)).toEqual(expected);
    const pending = serverWith({
      ENCRYPTION_KEY_B: wrap(startingAfter(60, two)),
      PRIVATE_KEY_B: wrap(startingAfter(60, otherPem)),
    });
    const made = await makersAt(pending);
    expect(made.encryption).not.toBe(expected.encryption);
    expect(made.private).not.toBe(expected.private);
  });

  const oneLine = (value: string) => value.replaceAll("\n", " ");
  const literal = (value: string) => value.replaceAll("\n", "\\n");
  it.each<[string, (start: (value: string) => string) => string]>([
    ["a PEM on one line", (start) => start(oneLine(pem))],
    ["a PEM with literal \\n", (start) => start(literal(pem))],
    ["a PEM with literal \\n in quotes", (start) => `"${literal(start(pem))}"`],
    ["a PEM without line breaks", (start) => start(pem.replaceAll("\n", ""))],
    ["a PEM as a JSON string", (start) => JSON.stringify(start(pem))],
    ["base64 of a PEM", (start) => start(btoa(pem))],
    [
      "a line of an env file",
      (start) => `PRIVATE_KEY_B="${literal(start(pem))}"`,
    ],
    [
      "a line of an env file after it",
      (start) => start(`PRIVATE_KEY_B=${pem}`),
    ],
  ])("is read before %s", async (_, make) => {
    const { private: kid } = await makersAt(serverWith({ PRIVATE_KEY: pem }));
    const makersFrom = (seconds: number) =>
      makersAt(
        serverWith({
          PRIVATE_KEY_B: make((value) => startingAfter(seconds, value)),
        }),
      );
    expect((await makersFrom(-60)).private).toBe(kid);
    expect((await makersFrom(60)).private).not.toBe(kid);
  });

  it.each([
    ["a JWK", (start: (value: string) => string) => start(JSON.stringify(jwk))],
    [
      "a JWK set of one",
      (start: (value: string) => string) =>
        start(JSON.stringify({ keys: [jwk] })),
    ],
    [
      "a JWK in quotes",
      (start: (value: string) => string) =>
        JSON.stringify(start(JSON.stringify(jwk))),
    ],
  ])("is read before %s", async (_, make) => {
    const PRIVATE_KEY = JSON.stringify(jwk);
    const { private: kid } = await makersAt(serverWith({ PRIVATE_KEY }));
    const PRIVATE_KEY_B = make((value) => startingAfter(-60, value));
    expect((await makersAt(serverWith({ PRIVATE_KEY_B }))).private).toBe(kid);
  });

  it("may be far in the past", async () => {
    const PRIVATE_KEY_B = `from=1970-01-01T00:00:00Z;${otherPem}`;
    const { private: kid } = await makersAt(serverWith({ PRIVATE_KEY_B }));
    const expected = await makersAt(serverWith({ PRIVATE_KEY: otherPem }));
    expect(kid).toBe(expected.private);
  });

  it("may be before a key of RSA 4096, each in a secret of its own", async () => {
    const rsa = generateKeyPairSync("rsa", { modulusLength: 4096 })
      .privateKey.export({ format: "pem", type: "pkcs8" })
      .toString();
    // The most that a secret of Cloudflare may have.
    expect(startingAfter(60, rsa).length).toBeLessThan(5000);
    const rotating = serverWith({
      PRIVATE_KEY: keys.plain[0]![1],
      PRIVATE_KEY_2026_12: startingAfter(60, rsa),
    });
    const published = async () => {
      const response = await rotating.http("/.well-known/jwks.json");
      return (await response.json<JSONWebKeySet>()).keys;
    };
    const [signer, pending] = await published();
    expect([signer?.alg, pending?.alg]).toEqual(["RS256", "RS256"]);
    expect((await makersAt(rotating)).private).toBe(signer?.kid);
    setClock(60);
    expect((await makersAt(rotating)).private).toBe(pending?.kid);
  });

  it("may be before an encrypted PEM, which PRIVATE_KEY_PASSPHRASE decrypts", async () => {
    const encrypted = serverWith({
      PRIVATE_KEY_B: startingAfter(-60, keys.encrypted[1]![1]),
      PRIVATE_KEY_PASSPHRASE: keys.passphrase,
    });
    const { private: kid } = await makersAt(encrypted);
    const plain = serverWith({ PRIVATE_KEY: keys.plain[1]![1] });
    expect(kid).toBe((await makersAt(plain)).private);
  });
});

describe("the key that makes", () => {
  const idOf = async (key: string) =>
    (await makersAt(serverWith({ ENCRYPTION_KEY: key }))).encryption;
  const zero = startingAfter(-DAY, three);

  it.each<[string, Record<string, unknown>, string]>([
    ["is that of the unlabelled secret", { ENCRYPTION_KEY_A: two }, one],
    [
      "is the first of the unlabelled secret, also beside labelled ones",
      { ENCRYPTION_KEY: `${two},${one}`, ENCRYPTION_KEY_A: three },
      two,
    ],
    [
      "is the first by alphabet where no secret is unlabelled",
      {
        ENCRYPTION_KEY: undefined,
        ENCRYPTION_KEY_B: two,
        ENCRYPTION_KEY_A: three,
      },
      three,
    ],
    [
      "has started, which counts more than no start time",
      { ENCRYPTION_KEY_Z: zero },
      three,
    ],
    [
      "is the one with the latest start",
      { ENCRYPTION_KEY_A: startingAfter(-9, two), ENCRYPTION_KEY_Z: zero },
      two,
    ],
    [
      "may be unlabelled and have a start time",
      { ENCRYPTION_KEY: startingAfter(-9, one), ENCRYPTION_KEY_Z: zero },
      one,
    ],
    [
      "is the first by alphabet of two with the same start",
      {
        ENCRYPTION_KEY_B: startingAfter(-9, three),
        ENCRYPTION_KEY_A: startingAfter(-9, two),
      },
      two,
    ],
  ])("%s", async (_, overrides, expected) => {
    const { encryption } = await makersAt(
      serverWith({ ENCRYPTION_KEY: one, ...overrides }),
    );
    expect(encryption).toBe(await idOf(expected));
  });

  it("need not have the private halves of keys that came before it", async () => {
    const PRIVATE_KEY = JSON.stringify({ ...jwk, d: undefined });
    const PRIVATE_KEY_B = startingAfter(-9, otherPem);
    const rotated = serverWith({ PRIVATE_KEY, PRIVATE_KEY_B });
    const expected = await makersAt(serverWith({ PRIVATE_KEY: otherPem }));
    expect((await makersAt(rotated)).private).toBe(expected.private);
  });
});
