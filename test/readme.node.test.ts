import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import {
  afterAll,
  beforeAll,
  describe,
  expect,
  it,
  onTestFinished,
} from "vitest";
import { LocalServer } from "../src/cli/local/local-server.ts";
import { blocks as blocksOf } from "./support/markdown.ts";

/** What the README tells a newcomer to paste works as it stands. */

const root = join(import.meta.dirname, "..");
const readme = readFileSync(join(root, "README.md"), "utf8");

/** The code blocks of a language below a heading. */
function blocks(heading: string, language: string): string[] {
  return blocksOf(readme, heading, language);
}

let server: LocalServer;

beforeAll(async () => {
  server = await LocalServer.launch();
  await server.ready();
});

afterAll(() => server.stop());

async function shell(script: string): Promise<string> {
  const { stdout } = await promisify(execFile)(
    "bash",
    ["-euo", "pipefail", "-c", script],
    {
      cwd: root,
      env: {
        ...process.env,
        BATON_URL: server.url,
        BATON_ADMIN_TOKEN: server.secrets.ADMIN_TOKEN,
      },
    },
  );
  return stdout;
}

/** A folder for what a reader saves: inside the project, so that it finds the libraries. */
function folderInTheProject(): string {
  mkdirSync(join(root, ".wrangler"), { recursive: true });
  const folder = mkdtempSync(join(root, ".wrangler/readme-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  return folder;
}

interface Tokens {
  access_token: string;
  refresh_token: string;
}

describe("README", () => {
  it("refreshes a token by the lines that it gives, and shows the replay that it promises", async () => {
    const [dev, setUp, refresh] = blocks("A refresh of your own", "sh");
    expect(dev).toBe("npm run dev\n");
    const curl = refresh?.replace("http://localhost:8787", server.url) ?? "";
    expect(curl).toContain(server.url);
    const script = [setUp, "echo; echo ANSWERS:", curl, "echo", curl].join(
      "\n",
    );
    const answers = (await shell(script)).split("ANSWERS:\n")[1] ?? "";
    const [first, second] = answers
      .split("\n")
      .map((line) => JSON.parse(line) as object);
    expect(Object.keys(first ?? {}).toSorted()).toEqual([
      "access_token",
      "expires_in",
      "refresh_token",
      "scope",
      "token_type",
    ]);
    expect(second).toMatchObject({ error: "invalid_grant" });
  });

  it("signs a person in by the app that it gives, and refreshes", async () => {
    const [, setUp = ""] = blocks("A refresh of your own", "sh");
    const [register = ""] = blocks("A sign-in of your own", "sh");
    await shell(setUp + register);
    const [code = ""] = blocks("A sign-in of your own", "js");
    expect(code).toContain('"http://localhost:8787"');
    const file = join(folderInTheProject(), "app.mjs");
    writeFileSync(file, code.replace("http://localhost:8787", server.url));
    const app = spawn(process.execPath, [file]);
    onTestFinished(() => void app.kill());
    let output = "";
    for (const stream of [app.stdout, app.stderr])
      stream.setEncoding("utf8").on("data", (text: string) => (output += text));
    const ended = once(app, "close");

    const opened = new Promise<string>((resolve) => {
      app.stdout.on("data", () => {
        const url = /^Open (\S+)\n/.exec(output)?.[1];
        if (url !== undefined) resolve(url);
      });
    });
    const late = ended.then(() => Promise.reject(new Error(output)));
    const url = await Promise.race([opened, late]);
    const page = await fetch(url);
    expect(await page.text()).toContain("Sign in to Notes");
    const request = new URL(page.url).searchParams.get("request") ?? "";
    const body = new URLSearchParams([
      ["request", request],
      ["subject", "alice"],
      ["scope", "read"],
      ["scope", "write"],
      ["answer", "allow"],
    ]);
    const signIn = new URL("/dev/login", server.url);
    const answered = await fetch(signIn, { method: "POST", body });
    expect(await answered.text()).toContain("Signed in");
    expect(await ended).toEqual([0, null]);
    const tokens = output.match(/refresh_token: '(baton_rt_[^']+)'/g);
    expect(new Set(tokens).size).toBe(2);
  });

  it("verifies an access token by the lines that it gives, and refuses an altered one", async () => {
    const [code = ""] = blocks("Verify an access token", "ts");
    expect(code).toContain('"https://auth.example.com"');
    const file = join(folderInTheProject(), "verify.ts");
    writeFileSync(file, code.replace("https://auth.example.com", server.url));
    const { verify } = (await import(file)) as {
      verify: (token: string) => Promise<object>;
    };

    const [, setUp] = blocks("A refresh of your own", "sh");
    const output = await shell(`${setUp}\necho\necho "GRANT:$GRANT"`);
    const { access_token } = JSON.parse(
      output.split("GRANT:")[1] ?? "",
    ) as Tokens;
    expect(await verify(access_token)).toMatchObject({
      sub: "alice",
      scope: "read write",
    });
    const middle = access_token.length / 2;
    const altered =
      access_token.slice(0, middle) + access_token.slice(middle + 1);
    await expect(verify(altered)).rejects.toThrow(
      /signature verification failed|Invalid/,
    );
  });

  it("binds a login as the example of one is bound, and calls methods that there are", () => {
    const heading = "Sign people in with your own login";
    const [binding = ""] = blocks(heading, "toml");
    expect(binding).toContain('entrypoint = "Login"');
    const example = readFileSync(
      join(root, "test/login/wrangler.toml"),
      "utf8",
    );
    expect(example).toContain(binding);
    const [calls = ""] = blocks(heading, "ts");
    const methods = [...calls.matchAll(/env\.BATON\.(\w+)/g)].map(
      (match) => match[1],
    );
    expect(methods.length).toBeGreaterThan(1);
    const rpc = readFileSync(join(root, "src/rpc.ts"), "utf8");
    for (const method of methods) expect(rpc).toContain(`  ${method}(`);
  });

  it("names only commands, files and variables that are there", () => {
    const { scripts } = JSON.parse(
      readFileSync(join(root, "package.json"), "utf8"),
    ) as {
      scripts: Record<string, string>;
    };
    const named = [...readme.matchAll(/npm run (?:-s )?([\w:]+)/g)].map(
      (match) => String(match[1]),
    );
    expect(named.filter((script) => !(script in scripts))).toEqual([]);
    const paths = [...readme.matchAll(/^((?:src|test)\/\S*)/gm)].map((match) =>
      String(match[1]),
    );
    expect(paths.length).toBeGreaterThan(5);
    expect(paths.filter((path) => !existsSync(join(root, path)))).toEqual([]);
    const wranglerToml = readFileSync(join(root, "wrangler.toml"), "utf8");
    const variables = [...wranglerToml.matchAll(/^([A-Z_]+) = /gm)].map(
      (match) => String(match[1]),
    );
    expect(variables.length).toBeGreaterThan(5);
    expect(variables.filter((name) => !readme.includes(`\`${name}\``))).toEqual(
      [],
    );
  });
});
