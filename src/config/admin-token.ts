import { weakSecretProblem } from "../oauth/secret-floor.ts";

/**
 * Returns what is wrong with ADMIN_TOKEN, or undefined. What a shell or a secret store has damaged is refused, because it would be another token
 * than the operator has.
 */
export function adminTokenProblem(token: string): string | undefined {
  const [, name] =
    /^(?:export\s+)?((?:BATON_)?ADMIN_TOKEN)\s*=/.exec(token) ?? [];
  if (name !== undefined)
    return `begins with ${name}=, and must be the value alone`;
  if (/\\[nr]$/.test(token))
    return "ends with a backslash and a letter, which was a line break before something escaped it: remove both";
  if (/^\\?["'`]|["'`]$/.test(token))
    return "begins or ends with a quotation mark: set the value without it";
  const weakness = weakSecretProblem(token);
  if (weakness !== undefined) return weakness;
  return /[^\x21-\x7e]/.test(token)
    ? "must be printable ASCII without spaces"
    : undefined;
}
