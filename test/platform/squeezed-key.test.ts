import { describe, expect, inject, it } from "vitest";
import { serverWith } from "../support/server.ts";

/** PRIVATE_KEY as secret stores, env files and shells leave it. */

const keys = inject("testKeys");
const PRIVATE_KEY_PASSPHRASE = keys.passphrase;

const isPem = (text: string) => text.includes("-----BEGIN");
const forms: [string, string][] = [
  ...keys.plain.map(([name, key]) => [name, key] satisfies [string, string]),
  ...keys.encrypted.map(
    ([alg, key]) =>
      [
        `${/BEGIN ([A-Z ]+)/.exec(key)?.[1]}, encrypted, for ${alg}`,
        key,
      ] satisfies [string, string],
  ),
  [
    "a JWK set in lines",
    JSON.stringify(
      {
        keys: [
          {
            ...(JSON.parse(jwkOf("ES256")) as object),
            kid: "2027 \u00e4 spring",
          },
          JSON.parse(jwkOf("EdDSA")),
        ],
      },
      null,
      2,
    ),
  ],
];
const pems = forms.filter(([, key]) => isPem(key));
const jwks = forms.filter(([, key]) => !isPem(key));

function jwkOf(alg: string): string {
  return keys.plain.find(([name]) => name === `a JWK for ${alg}`)![1];
}

/** The public keys that a server with this PRIVATE_KEY publishes, or its problem with it. */
async function published(PRIVATE_KEY: string): Promise<unknown> {
  const server = serverWith({ PRIVATE_KEY, PRIVATE_KEY_PASSPHRASE });
  const health = await server.health();
  if (health.status !== 200) return health.json();
  return (await server.http("/.well-known/jwks.json")).json();
}

async function problemWith(
  PRIVATE_KEY: string,
  passphrase?: string,
): Promise<string> {
  const server = serverWith({
    PRIVATE_KEY,
    PRIVATE_KEY_PASSPHRASE: passphrase,
  });
  const health = await server.health();
  const { problems } = await health.json<{
    problems: { name: string; problem: string }[];
  }>();
  expect(problems).toEqual([
    { name: "PRIVATE_KEY", problem: expect.any(String) },
  ]);
  return problems[0]!.problem;
}

const toBase64 = (text: string) => new TextEncoder().encode(text).toBase64();
const inLines = (text: string) => text.replaceAll(/.{76}/g, "$&\n");
const utf16 = (text: string) =>
  Uint8Array.from(
    Array.from(`\ufeff${text}`, (character) => character.charCodeAt(0)).flatMap(
      (code) => [code & 0xff, code >> 8],
    ),
  ).toBase64();

type Squeeze = [string, (text: string) => string];

/** What may happen to any text. */
const wrappings: Squeeze[] = [
  ["in double quotes", (text) => `"${text}"`],
  ["in single quotes", (text) => `'${text}'`],
  ["in back quotes", (text) => `\`${text}\``],
  ["in quotes and white space", (text) => ` "${text}\n" \n`],
  ["as a JSON string", (text) => JSON.stringify(text)],
  ["as a JSON string in single quotes", (text) => `'${JSON.stringify(text)}'`],
  [
    "as a JSON string of a JSON string",
    (text) => JSON.stringify(JSON.stringify(text)),
  ],
  ["after a byte order mark", (text) => `\ufeff${text}`],
  ["with white space around it", (text) => `\r\n\t ${text} \t\r\n`],
  ["as a line of an env file", (text) => `PRIVATE_KEY=${JSON.stringify(text)}`],
  ["as a line for a shell", (text) => `export PRIVATE_KEY='${text}'\n`],
  ["in base64", toBase64],
  ["in base64 with a line break at its end", (text) => `${toBase64(text)}\n`],
  ["in lines of base64", (text) => inLines(toBase64(text))],
  [
    "in base64 with Windows line breaks",
    (text) => inLines(toBase64(text)).replaceAll("\n", "\r\n"),
  ],
  [
    "in base64 with literal line breaks",
    (text) => `${inLines(toBase64(text)).replaceAll("\n", "\\n")}\\n`,
  ],
  ["in base64 in quotes", (text) => `"${toBase64(text)}"`],
  ["in base64 without padding", (text) => toBase64(text).replace(/=+$/, "")],
  [
    "in base64url",
    (text) =>
      new TextEncoder().encode(text).toBase64({ alphabet: "base64url" }),
  ],
  ["in base64 twice", (text) => inLines(toBase64(inLines(toBase64(text))))],
  ["in base64 of a JSON string", (text) => toBase64(JSON.stringify(text))],
  ["in base64 with the prefix base64:", (text) => `base64:${toBase64(text)}`],
  ["in base64 of UTF-16, as PowerShell writes a file", utf16],
];

/** What may happen to the line breaks of a PEM. */
const pemSqueezes: Squeeze[] = [
  ["with spaces for line breaks", (pem) => pem.replaceAll(/\r?\n/g, " ")],
  ["with literal \\n", (pem) => pem.replaceAll(/\r?\n/g, "\\n")],
  ["with literal \\r\\n", (pem) => pem.replaceAll(/\r?\n/g, "\\r\\n")],
  ["with \\n escaped twice", (pem) => pem.replaceAll(/\r?\n/g, "\\\\n")],
  [
    "with \\r\\n escaped three times",
    (pem) => pem.replaceAll(/\r?\n/g, "\\\\\\\\r\\\\\\\\n"),
  ],
  ["with Windows line breaks", (pem) => pem.replaceAll(/\r?\n/g, "\r\n")],
  [
    "with the line breaks of an old Mac",
    (pem) => pem.replaceAll(/\r?\n/g, "\r"),
  ],
  ["without line breaks", (pem) => pem.replaceAll(/\r?\n/g, "")],
  ["without any white space", (pem) => pem.replaceAll(/\s/g, "")],
  ["indented by spaces", (pem) => pem.replaceAll(/^/gm, "    ")],
  ["indented by tabs", (pem) => pem.replaceAll(/^/gm, "\t\t")],
  ["with an empty line after each", (pem) => pem.replaceAll("\n", "\n\n")],
  ["with spaces at the ends of lines", (pem) => pem.replaceAll("\n", "  \n")],
  [
    "with a backslash at each line's end",
    (pem) => pem.replaceAll("\n", "\\\n"),
  ],
  ["with tabs for line breaks", (pem) => pem.replaceAll(/\r?\n/g, "\t")],
  ["with literal \\t for indentation", (pem) => pem.replaceAll(/^/gm, "\\t")],
  [
    "in JSON that escapes =",
    (pem) => JSON.stringify(pem).replaceAll("=", "\\u003d"),
  ],
  [
    "in JSON that escapes /",
    (pem) => JSON.stringify(pem).replaceAll("/", "\\/"),
  ],
  [
    "as lines of strings in a program",
    (pem) =>
      pem
        .trim()
        .split("\n")
        .map((line) => JSON.stringify(`${line}\n`))
        .join("\n"),
  ],
  [
    "with literal \\n in quotes in base64",
    (pem) => toBase64(`"${pem.replaceAll(/\r?\n/g, "\\n")}"`),
  ],
];

/** What may happen to JSON. */
const jsonSqueezes: Squeeze[] = [
  ["with its quotes escaped", (json) => json.replaceAll('"', '\\"')],
  [
    "with its quotes escaped twice, in quotes",
    (json) => `"${json.replaceAll('"', '\\\\"')}"`,
  ],
  [
    "in lines, with literal line breaks",
    (json) => JSON.stringify(JSON.parse(json), null, 2).replaceAll("\n", "\\n"),
  ],
  [
    "in lines, with spaces for line breaks",
    (json) => JSON.stringify(JSON.parse(json), null, 2).replaceAll("\n", " "),
  ],
  ["cut into lines", (json) => json.replaceAll(/[^]{50}/g, "$&\n")],
  ["with padded values", (json) => json.replaceAll(/([\w-]{43})"/g, '$1="')],
];

const squeezed = (
  [
    [forms, wrappings],
    [pems, pemSqueezes],
    [jwks, jsonSqueezes],
  ] as const
).flatMap(([each, squeezes]) =>
  each.flatMap(([name, key]) =>
    squeezes.map(([how, squeeze]) => [name, how, key, squeeze] as const),
  ),
);

describe("PRIVATE_KEY is the same key with the same kid, as", () => {
  const originals = new Map<string, Promise<unknown>>();

  it.each(squeezed)("%s %s", async (_, _how, key, squeeze) => {
    const original = originals.get(key) ?? published(key);
    originals.set(key, original);
    expect(await original).toMatchObject({ keys: expect.any(Array) });
    const squeezedKey = squeeze(key);
    expect(await published(squeezedKey)).toEqual(await original);
  });

  /** The base64 between the first and the last line of a PEM. */
  const inside = (pem: string) =>
    /-----([^-]*)-----END [A-Z ]+-----\s*$/.exec(pem)?.[1] ?? "";

  it.each(pems.filter(([, pem]) => !pem.includes("Proc-Type")))(
    "%s without its first and last line",
    async (_, pem) => {
      const body = inside(pem.replaceAll("\\n", "\n"));
      const original = await published(pem);
      for (const text of [
        body,
        body.replaceAll(/\s/g, ""),
        `"${body.trim()}"`,
        body.trim().replaceAll("\n", "\\n"),
        body.trim().replaceAll(/\s+/g, " "),
        body.replaceAll("+", "-").replaceAll("/", "_"),
      ])
        expect(await published(text)).toEqual(original);
    },
  );

  it.each([
    ["a name in small letters", 'key="', '"'],
    ["a name in PowerShell", "$env:KEY = '", "'"],
    ["a constant of a program", "const privateKey = `\n", "`;"],
    ["an assignment whose line breaks are escaped", 'KEY="\\n', '"'],
    [
      "attributes with = and ; in them",
      "Bag Attributes\n    friendlyName: CN=baton;O=x\n",
      "",
    ],
  ])("a PEM after %s", async (_, before, behind) => {
    const [, pem] = forms.find(([name]) => name === "a PKCS#8 PEM for ES256")!;
    expect(await published(before + pem + behind)).toEqual(
      await published(pem),
    );
  });

  it("a PEM after text that describes it", async () => {
    const [, pem] = forms.find(([name]) => name === "a PKCS#8 PEM for ES256")!;
    const described = `Bag Attributes\n    friendlyName: baton\nKey Attributes: <No Attributes>\n${pem}`;
    expect(await published(described)).toEqual(await published(pem));
  });
});

describe("PRIVATE_KEY with a start time that has a mistake in it", () => {
  const [, pem] = keys.plain[1]!;

  it.each([
    "form=2026-12-01T10:00:00Z;",
    "start=2026-12-01T10:00:00Z;",
    "not-before=2026-12-01T10:00:00Z;",
    "FROM=tomorrow;",
    "fron=tomorrow;\n",
    "2026-12-01T10:00:00Z;",
    "2026-12-01T10:00:00Z ",
    "KEY=form=2026-12-01;",
  ])("is refused, because it would count from now on: %s", async (start) => {
    const mistake = /^begins with text that looks like a start time/;
    for (const value of [
      start + pem,
      `"${start}${pem}"`,
      JSON.stringify(start + pem),
      (start + pem).replaceAll("\n", "\\n"),
      toBase64(start + pem),
      inLines(toBase64(start + pem)),
    ])
      expect(await problemWith(value)).toMatch(mistake);
  });

  it.each([
    "from=tomorrow;",
    "FROM=2026-12-01T10:00:00Z;",
    "from=2026-12-01;",
    "from=;",
    "from: x;",
  ])("is refused inside base64, too: %s", async (start) => {
    expect(await problemWith(toBase64(start + pem))).toMatch(/start time/);
  });

  it.each([
    ["a JWK", jwkOf("ES256")],
    ["base64 of a PEM", toBase64(pem)],
  ])("is named as such also before %s", async (_, key) => {
    expect(await problemWith(`form=2026-12-01T10:00:00Z;${key}`)).toMatch(
      /^begins with text that looks like a start time/,
    );
  });
});

describe("PRIVATE_KEY is refused, and the problem says what it looks like:", () => {
  const pem = keys.plain[1]![1];
  const jwk = jwkOf("ES256");
  const other = keys.plain[0]![1];
  const lines = pem.trim().split("\n");
  const der = Uint8Array.fromBase64(lines.slice(1, -1).join(""));
  const sequence = (...parts: number[]) =>
    Uint8Array.of(0x30, parts.length, ...parts).toBase64();
  const empty = [0x30, 0];

  it.each([
    [
      "the first line of a PEM",
      lines[0]!,
      /its first line: put the whole file/,
    ],
    ["that line after a quote", `"${lines[0]}`, /its first line: put/],
    ["a part of that line", lines[0]!.slice(0, 20), /last line is missing/],
    ["a PEM without its last line", lines.slice(0, -1).join("\n"), /last line/],
    [
      "a PEM without its first line",
      lines.slice(1).join("\n"),
      /first line is/,
    ],
    ["the last line of a PEM", lines.at(-1)!, /first line is missing/],
    [
      "a PEM that ends as another",
      pem.replace("END PRIVATE", "END PUBLIC"),
      /last line/,
    ],
    ["a PEM with its key twice", pem.repeat(2), /several PEMs/],
    [
      "two PEMs on one line",
      (pem + other).replaceAll("\n", " "),
      /several PEMs/,
    ],
    ["two PEMs in base64", toBase64(pem + other), /several PEMs/],
    [
      "base64 of two PEMs, one after the other",
      toBase64(`${pem} `) + toBase64(other),
      /several PEMs|neither/,
    ],
    ["a PEM and half of one", pem + lines.slice(0, 2).join("\n"), /last line/],
    [
      "two keys in one PEM",
      [
        lines[0],
        new Uint8Array([...der, ...der]).toBase64(),
        lines.at(-1),
      ].join("\n"),
      /damaged/,
    ],
    [
      "a PEM with a byte more",
      [lines[0], new Uint8Array([...der, 0]).toBase64(), lines.at(-1)].join(
        "\n",
      ),
      /damaged/,
    ],
    [
      "a PEM with a character less",
      pem.replace(lines[1]!, lines[1]!.slice(1)),
      /damaged/,
    ],
    ["a PEM without a line", pem.replace(`${lines[1]!}\n`, ""), /damaged/],
    [
      "a PEM with a sign that is not base64",
      pem.replace(lines[1]!, `${lines[1]!.slice(0, -1)}!`),
      /damaged/,
    ],
    ["an empty PEM", `${lines[0]}\n${lines.at(-1)}`, /damaged/],
    [
      "two keys in DER",
      new Uint8Array([...der, ...der]).toBase64(),
      /base64 of a key that is damaged/,
    ],
    [
      "half of a key in DER",
      der.slice(0, 60).toBase64(),
      /base64 of a key that is damaged/,
    ],
    ["a damaged key", keys.damaged.replaceAll("\n", " "), /damaged/],
    ["two JWKs", jwk + jwk, /begins like a JWK/],
    ["half a JWK", jwk.slice(0, 100), /begins like a JWK/],
    ["the first line of a JWK", "{", /first line/],
    ["half a JWK in base64", toBase64(jwk.slice(0, 100)), /begins like a JWK/],
    [
      "a JWK whose quotes a shell has removed",
      jwk.replaceAll('"', ""),
      /without quotation marks/,
    ],
    [
      "a public key",
      keys.publicPem.replaceAll("\n", " "),
      /labelled PUBLIC KEY/,
    ],
    ["a public key in base64", toBase64(keys.publicPem), /labelled PUBLIC KEY/],
    [
      "a public key in DER",
      keys.publicPem.replaceAll(/-----[^-]+-----|\n/g, ""),
      /base64 of a PUBLIC KEY/,
    ],
    [
      "a public JWK",
      JSON.stringify({ ...JSON.parse(jwk), d: undefined }),
      /no private half/,
    ],
    [
      "a public JWK in base64",
      toBase64(JSON.stringify({ ...JSON.parse(jwk), d: undefined })),
      /no private half/,
    ],
    [
      "a certificate",
      "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----",
      /labelled CERTIFICATE/,
    ],
    [
      "a certificate in DER",
      sequence(...empty, ...empty, 3, 1, 0),
      /base64 of a CERTIFICATE/,
    ],
    [
      "a request for a certificate",
      "-----BEGIN CERTIFICATE REQUEST----- MIIB -----END CERTIFICATE REQUEST-----",
      /labelled CERTIFICATE REQUEST/,
    ],
    [
      "the parameters of a curve",
      "-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----",
      /labelled EC PARAMETERS/,
    ],
    [
      "a key of PGP",
      "-----BEGIN PGP PRIVATE KEY BLOCK-----\n\nlQ==\n-----END PGP PRIVATE KEY BLOCK-----",
      /PGP PRIVATE KEY BLOCK/,
    ],
    [
      "another PEM",
      "-----BEGIN HUNTER2-----\nAAAA\n-----END HUNTER2-----",
      /^is a PEM of something else/,
    ],
    [
      "a private key of OpenSSH",
      "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaA==\n-----END OPENSSH PRIVATE KEY-----",
      /OpenSSH: convert/,
    ],
    [
      "a public key of SSH",
      "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI me@example.com",
      /public key of SSH/,
    ],
    [
      "a key of PuTTY",
      "PuTTY-User-Key-File-3: ssh-rsa\nEncryption: none",
      /PuTTY/,
    ],
    ["a relative path", "./baton-private-key.pem", /name of a file/],
    [
      "a path in the home directory",
      "~/baton-private-key.pem",
      /name of a file/,
    ],
    ["an absolute path", "/run/secrets/private_key", /name of a file/],
    ["a path of Windows", "C:\\keys\\private.pem", /name of a file/],
    ["a file name", "private.pem", /name of a file/],
    ["a file name in quotes", '"baton.jwk.json"\n', /name of a file/],
    ["a file URL", "file:///etc/baton.pem", /name of a file/],
    ["a file for curl", "@/etc/baton.pem", /name of a file/],
    [
      "a command that no shell has run",
      "$(cat private.pem)",
      /variable or a command/,
    ],
    [
      "a variable that nothing has replaced",
      "${PRIVATE_KEY}",
      /variable or a command/,
    ],
    ["a placeholder", "<your private key>", /variable or a command/],
    [
      "base64 of something else",
      toBase64("correct horse battery staple"),
      /neither a PEM nor JSON/,
    ],
    [
      "random bytes",
      "q83vASNFZ4mrze8BI0VniavN7wEjRWeJq83vASNFZ4k=",
      /neither a PEM nor JSON/,
    ],
    ["a word", "nonsense", /neither a PEM nor JSON/],
    ["a number", "12345678", /neither a PEM nor JSON/],
    ["quotes too many", '"'.repeat(40), /neither a PEM nor JSON/],
    [
      "base64 too often",
      Array.from({ length: 8 }).reduce<string>((text) => toBase64(text), jwk),
      /neither a PEM nor JSON/,
    ],
    ["an array", JSON.stringify([1]), /neither a JWK nor/],
    ["a JSON string of null", '"null"', /neither a JWK nor/],
    ["64 KiB and more", "A".repeat(65_537), /65536 characters/],
  ])("%s", async (_, value, problem) => {
    const text = await problemWith(value);
    expect(text).toMatch(problem);
    // It quotes no part of the value that could be of a key.
    for (const part of value.match(/[\w+/-]{12,}/g) ?? [])
      if (!part.startsWith("-----")) expect(text).not.toContain(part);
    expect(text).not.toContain("HUNTER2");
  });

  it("an encrypted key without its pass phrase, or with another one", async () => {
    for (const [, encrypted] of keys.encrypted)
      for (const [, squeeze] of pemSqueezes) {
        expect(await problemWith(squeeze(encrypted))).toMatch(
          /^is encrypted: set its pass phrase/,
        );
        expect(await problemWith(squeeze(encrypted), "another")).toMatch(
          /PRIVATE_KEY_PASSPHRASE is wrong/,
        );
      }
  });

  it("a pass phrase with white space or quotes around it, because it may have them", async () => {
    const [, encrypted] = keys.encrypted[0]!;
    for (const phrase of [`${keys.passphrase} `, `"${keys.passphrase}"`])
      expect(await problemWith(encrypted, phrase)).toMatch(
        /PRIVATE_KEY_PASSPHRASE is wrong/,
      );
  });

  it.each([
    ["dashes", "-".repeat(65_536)],
    ["first lines", "-----BEGIN A-----".repeat(3855)],
    ["first lines that have no end", "-----BEGIN AAAA".repeat(4369)],
    ["backslashes", "\\".repeat(65_536)],
    ["quotes", '"'.repeat(65_536)],
    ["braces", "{".repeat(65_536)],
    ["spaces", `-----${" ".repeat(65_000)}x`],
    ["spaces inside base64", `A${" ".repeat(65_000)}!`],
    ["an assignment", `PRIVATE_KEY${" ".repeat(65_000)}!`],
    ["a name of a file", `${".".repeat(65_000)} `],
    ["a member", `{${"a".repeat(65_000)}`],
    ["text before a PEM", `${"a".repeat(65_000)};-----BEGIN A-----`],
    [
      "an assignment before a PEM",
      `a=${"\\".repeat(65_000)}x-----BEGIN A-----`,
    ],
    [
      "a header",
      `-----BEGIN PRIVATE KEY-----Proc-Type: 4,ENCRYPTED DEK-Info: ${"A".repeat(60_000)}-----END PRIVATE KEY-----`,
    ],
  ])("64 KiB of %s, at once", async (_, value) => {
    const start = performance.now();
    await problemWith(value);
    // The clock stands still inside a request, but not between two in the tests.
    expect(performance.now() - start).toBeLessThan(2000);
  });
});
