import { readFile } from "node:fs/promises";
import { Failure } from "../failure.ts";
import { printable } from "../output.ts";
import { type PublicKeys, publicKeySet } from "../public-keys.ts";

/**
 * Reads the public keys of a client from a file: a JWK set, or one JWK. A private key is refused here, so that it does not
 * leave this machine.
 *
 * @throws Failure
 */
export async function readKeys(path: string): Promise<PublicKeys> {
  const fail = (problem: string) =>
    new Failure(`--jwks: the file ${printable(path)} ${problem}`);
  const text = await readFile(path, "utf8").catch(() => {
    throw fail("cannot be read. Check the path.");
  });
  let content: unknown;
  try {
    content = JSON.parse(text);
  } catch {
    throw fail(
      'is not JSON. It must have a JWK set, such as {"keys": [{"kty": "EC", …}]}, or one JWK.',
    );
  }
  const isKey =
    typeof content === "object" && content !== null && "kty" in content;
  const { data, error } = publicKeySet.safeParse(
    isKey ? { keys: [content] } : content,
  );
  if (data) return data;
  const problems = error.issues.map(({ path: at, message }) =>
    [...at.map(String), message].join(" "),
  );
  throw fail(`cannot be used: ${problems.join("; ")}.`);
}
