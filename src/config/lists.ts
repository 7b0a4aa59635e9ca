/** The variables that are lists: the values between their commas, and the rules for origins and host names. */

/** Returns the values of a list, without the spaces around them. */
export function splitList(list: string): string[] {
  return list.split(",").map((item) => item.trim());
}

/** The origin of an app's pages: a scheme of its own, a host as the browser sends it, and perhaps a port. */
const appOrigin =
  /^[a-z][a-z0-9+.-]*:\/\/(?:[a-z0-9._-]+|[0-9A-F]{8}(?:-[0-9A-F]{4}){3}-[0-9A-F]{12})(?::\d{1,5})?$/;
/** The scheme of a page whose origin is null (HTML section 7.1.1), or that origin itself. */
const noOrigin =
  /^(null|file|javascript|data|vbscript|blob|about|view-source|filesystem)(?::\/\/|$)/i;

export function originsProblem(list: string): string | undefined {
  const origins = splitList(list);
  const [, name] =
    origins.map((item) => noOrigin.exec(item)).find(Boolean) ?? [];
  if (name !== undefined)
    return `must not have ${name.toLowerCase()}: the origin of such pages is null, and any site can make a page whose origin is null`;
  return origins.every(isOrigin)
    ? undefined
    : "must be origins such as https://app.example.com or capacitor://localhost, without a path or a wildcard, with commas between them";
}

function isOrigin(item: string): boolean {
  if (item.includes("*") || !URL.canParse(item)) return false;
  const { origin, href } = new URL(item);
  if (/^https?:/i.test(item)) return origin === item;
  // The parser knows no origin of another scheme than those of the web.
  return appOrigin.test(item) && href === item;
}

export function hostsProblem(list: string): string | undefined {
  return splitList(list).every(
    (item) =>
      !item.includes("*") &&
      URL.canParse(`https://${item}`) &&
      new URL(`https://${item}`).hostname === item,
  )
    ? undefined
    : "must be host names such as auth.example.com, in lower case and without a port, with commas between them";
}
