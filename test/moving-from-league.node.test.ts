import { spawn } from "node:child_process";
import { once } from "node:events";
import {
  existsSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { PrebuiltServer } from "./support/prebuilt-server.ts";
import vectors from "./league/refresh-tokens.json" with { type: "json" };
import { blocks } from "./support/markdown.ts";

/** Tests docs/moving-from-league.md: pastes its snippets, with tokens of a real league server. */

const root = join(import.meta.dirname, "..");
const page = readFileSync(join(root, "docs/moving-from-league.md"), "utf8");

const secret = "zeyk9OKi4s4iUmu6wzH8N3xqXJsUqN4kTSwvBPbR";
const live = vectorNamed("plain, as in the documents");
const revoked = vectorNamed("one scope");
const untouched = vectorNamed("no scope");

function vectorNamed(name: string) {
  const found = vectors.vectors.find(
    (vector) => vector.key === "password" && vector.name === name,
  );
  if (!found) throw new Error(`there is no vector "${name}"`);
  return found;
}

/** The clients of the old server, as `mysql --batch` prints them. */
const clients = `id\tuser_id\tname\tsecret\tprovider\tredirect\tpersonal_access_client\tpassword_client\trevoked\tcreated_at\tupdated_at
demo\tNULL\tNotes\t${secret}\tNULL\thttps://notes.example.com/callback\t0\t0\t0\t2025-01-31 10:20:30\t2025-01-31 10:20:30
web\tNULL\tShop\t$2y$10$abcdefghijklmnopqrstuuZ1Z1Z1Z1Z1Z1Z1Z1Z1Z1Z1Z1Z1Z1Z1a\tusers\thttps://shop.example.com/callback\t0\t0\t0\t2025-01-31 10:20:30\t2025-01-31 10:20:30
`;
const tokens = `id\trevoked\texpires_at
${live.payload.refresh_token_id}\t0\t2036-11-22 19:21:22
${revoked.payload.refresh_token_id}\t1\t2036-11-22 19:21:22
${untouched.payload.refresh_token_id}\t0\t2036-11-22 19:21:22
`;

let server: PrebuiltServer;
let folder: string;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "baton-move-"));
  writeFileSync(join(folder, "clients.csv"), clients);
  writeFileSync(join(folder, "refresh-tokens.csv"), tokens);
  const { value } = vectors.keys.password;
  const secrets = { LEAGUE_ENCRYPTION_KEY: value };
  server = await PrebuiltServer.start({ secrets });
});

afterAll(async () => {
  await server.stop();
  rmSync(folder, { recursive: true, force: true });
});

/** Runs a snippet of the page in the project's folder, with the files and the server of this test. */
async function paste(snippet: string, input = ""): Promise<string> {
  const script = snippet
    .replaceAll("~/move", folder)
    .replaceAll("http://localhost:8787", server.url);
  // --norc: started by a program, bash may take itself for a remote shell, and then prints what the machine's own
  // start-up file complains about.
  const shell = spawn("bash", ["--norc", "-euo", "pipefail", "-c", script], {
    cwd: root,
    env: {
      ...process.env,
      BATON_URL: server.url,
      BATON_ADMIN_TOKEN: server.secrets.ADMIN_TOKEN,
    },
  });
  let output = "";
  for (const stream of [shell.stdout, shell.stderr])
    stream.setEncoding("utf8").on("data", (text: string) => (output += text));
  shell.stdin.end(input);
  const [code] = (await once(shell, "close")) as [number | null];
  if (code !== 0) throw new Error(`exit code ${code}: ${output}`);
  return output;
}

const rehearsal = blocks(page, "Rehearse on your machine", "sh");

function snippetWith(list: string[], text: string): string {
  const found = list.find((snippet) => snippet.includes(text));
  if (found === undefined) throw new Error(`no snippet has ${text}`);
  return found;
}

/** Runs the snippet that exchanges a token, with the token in the file that the page names. */
function exchange(token: string): Promise<string> {
  writeFileSync(join(folder, "token.txt"), `${token}\n`);
  return paste(snippetWith(rehearsal, "curl"), `demo\n${secret}\n`);
}

describe("Moving from league/oauth2-server or Laravel Passport", () => {
  it("imports clients and revoked tokens, exchanges a real token once, and shows the progress", async () => {
    const imports = await paste(
      snippetWith(rehearsal, "league import-clients"),
    );
    expect(imports).toMatch(/demo +Notes .* would be made/);
    expect(imports).toMatch(/demo +Notes .* made/);
    expect(imports).toContain("clients rotate-secret");
    expect(imports).toContain("1 revoked token is refused now.");
    expect(imports).not.toContain(secret);

    const status = snippetWith(blocks(page, "Watch", "sh"), "league status");
    const statusCommand = status.split("\n")[0] ?? "";
    expect(await paste(`${statusCommand} --json`)).toBe(
      `${JSON.stringify({ server: server.url, accepts_tokens: true, exchanged: 0, revoked: 1, outstanding: 2 }, undefined, 2)}\n`,
    );

    const answer = JSON.parse(await exchange(live.refresh_token)) as object;
    expect(answer).toMatchObject({ token_type: "Bearer", scope: "read" });
    expect(JSON.parse(await exchange(revoked.refresh_token))).toMatchObject({
      error: "invalid_grant",
    });
    const listed = snippetWith(
      [...page.matchAll(/`(npm run -s baton -- grants list) USER_ID`/g)].map(
        (match) => match[1] ?? "",
      ),
      "grants list",
    );
    expect(await paste(`${listed} 42`)).toContain("demo");
    expect(JSON.parse(await paste(`${statusCommand} --json`))).toEqual({
      server: server.url,
      accepts_tokens: true,
      exchanged: 1,
      revoked: 1,
      outstanding: 1,
    });

    // The page says: "The same request again is `invalid_grant`, and ends the login."
    expect(JSON.parse(await exchange(live.refresh_token))).toMatchObject({
      error: "invalid_grant",
    });
    expect(await paste(`${listed} 42`)).not.toContain("demo");
    expect(server.output).toContain('"league_token.exchanged"');
    expect(server.output).not.toContain(live.refresh_token);
  });

  it("imports the tokens that are in a backup and no longer in the table as revoked", async () => {
    // As in a table exported on Windows, with a carriage return at the end of each line.
    writeFileSync(join(folder, "now.ids"), "still-there\r\n");
    writeFileSync(join(folder, "backup-1.ids"), "still-there\r\npurged-1\r\n");
    writeFileSync(join(folder, "backup-2.ids"), "purged-1\npurged-2\n");
    const heading = "A lifetime ahead: stop the purge";
    const purge = snippetWith(blocks(page, heading, "sh"), "comm -23");
    const output = await paste(purge);
    expect(output).toContain("2 revoked tokens");
    const gone = readFileSync(join(folder, "gone.ids"), "utf8");
    expect(gone).toBe("purged-1\npurged-2\n");
  });

  it("names only files, settings and headings that exist", () => {
    const settings = [
      readFileSync(join(root, "wrangler.toml"), "utf8"),
      readFileSync(join(root, ".dev.vars.example"), "utf8"),
    ].join("\n");
    const anchors = (text: string) =>
      [...text.matchAll(/^#+ (.+)$/gm)].map(([, heading = ""]) =>
        heading
          .toLowerCase()
          .replaceAll(/[^\w\- ]/g, "")
          .replaceAll(" ", "-"),
      );
    const links = [...page.matchAll(/\]\(([^)]*)#([^)]+)\)/g)];
    expect(links.length).toBeGreaterThan(5);
    for (const [, file = "", anchor] of links) {
      const target =
        file === "" ? page : readFileSync(join(root, "docs", file), "utf8");
      expect(anchors(target), `${file}#${anchor}`).toContain(anchor);
    }
    const files = [...page.matchAll(/\]\((?!https?:)([^)#]+)[)#]/g)].map(
      ([, file = ""]) => file,
    );
    expect(files.length).toBeGreaterThan(2);
    for (const file of files)
      expect(existsSync(join(root, "docs", file)), file).toBe(true);
    const named = [...page.matchAll(/\b[A-Z]+(?:_[A-Z]+)+\b/g)].map(String);
    const settingNames = named.filter(
      (name) => !/^(APP|BATON|CLIENT|USER|LC)_/.test(name),
    );
    expect(settingNames.length).toBeGreaterThan(5);
    for (const name of settingNames) expect(settings).toContain(name);
  });
});
