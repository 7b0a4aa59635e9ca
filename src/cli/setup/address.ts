/** Checks the addresses and names of a deployment before anything is sent to Cloudflare. */

/** The environment of the settings at the top of the file. Every other one is a block of its own. */
export const PRODUCTION = "production";

/** The domain of the addresses that Cloudflare gives to a Worker without a domain. */
const WORKERS_DEV = ".workers.dev";

/** Returns why a name cannot be that of an environment. Undefined: it can. It becomes a part of the Worker's name. */
export function environmentProblem(name: string): string | undefined {
  return /^[a-z][a-z0-9-]{0,30}$/.test(name)
    ? undefined
    : "must be production, staging or another name of lower-case letters, digits and hyphens";
}

/** Returns why a name cannot be that of a Worker. Undefined: it can. */
export function workerNameProblem(name: string): string | undefined {
  return /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/.test(name)
    ? undefined
    : "must have at most 63 lower-case letters, digits and hyphens";
}

/** Returns why ISSUER cannot be the address of a deployed Worker. Undefined: it can. */
export function issuerProblem(
  issuer: string,
  worker: string,
): string | undefined {
  if (issuer === "")
    return "is empty. It is the https URL of the server, such as https://auth.example.com";
  const url = URL.canParse(issuer) ? new URL(issuer) : undefined;
  if (!url || !/^https?:\/\/[^/]/.test(issuer))
    return "must be a URL such as https://auth.example.com";
  if (url.protocol !== "https:") return "must begin with https://";
  if (issuer === `${url.origin}/`)
    return `must not end with a slash: ${url.origin}`;
  if (url.origin !== issuer)
    return `must be an origin without a path, such as ${url.origin}`;
  if (url.port !== "")
    return `must not have a port, because Cloudflare serves https at 443: https://${url.hostname}`;
  if (!isPublicName(url.hostname))
    return "must have a host name in a domain, such as auth.example.com";
  return isWorkersDev(issuer)
    ? workersDevProblem(url.hostname, worker)
    : undefined;
}

/** The names at workers.dev are WORKER.SUBDOMAIN.workers.dev. */
function workersDevProblem(
  hostname: string,
  worker: string,
): string | undefined {
  const labels = hostname.slice(0, -WORKERS_DEV.length).split(".");
  return labels.length === 2 && labels[0] === worker
    ? undefined
    : `must be https://${worker}.SUBDOMAIN.workers.dev with the subdomain of your account, because the Worker is called ${worker}`;
}

/** Tells whether an address is at workers.dev. Every other one is a custom domain. */
export function isWorkersDev(issuer: string): boolean {
  return new URL(issuer).hostname.endsWith(WORKERS_DEV);
}

/** Tells whether a host name can be in the public DNS: it has a dot, and is not an IP address. */
function isPublicName(hostname: string): boolean {
  return /^(?!.*\.\.)[a-z0-9.-]+\.[a-z][a-z0-9-]*$/.test(hostname);
}

/** Returns why LOGIN_URL cannot be the sign-in page of a deployed Worker. Undefined: it can. */
export function loginUrlProblem(url: string): string | undefined {
  const isPlain = /^https:\/\/[^/]/.test(url) && !/[^!-~]|[#\\]/.test(url);
  if (!isPlain || !URL.canParse(url))
    return "must be an https URL without a fragment or spaces, such as https://login.example.com/sign-in";
  return new URL(url).searchParams.has("request")
    ? "must not have a parameter named request, because Baton adds it"
    : undefined;
}
