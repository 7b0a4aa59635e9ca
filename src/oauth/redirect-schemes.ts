/**
 * The schemes of redirect URIs. An app may have a scheme of its own (RFC 8252 section 7.1). A scheme that means
 * something else already is not an app's own.
 */

/** The schemes that are refused, by the reason. */
const refused: Record<string, string> = {
  "because a browser runs it as a script or shows it as its own page":
    "javascript jscript vbscript livescript data about view-source feed jar mhtml wyciwyg resource res chrome chrome-search chrome-untrusted devtools edge brave opera vivaldi",
  "because it is for files": "file filesystem blob",
  "because an operating system takes commands or any URL from it":
    "intent android-app content package market shell search search-ms microsoft-edge applescript shortcuts x-man-page itms itms-apps itms-services",
  "because it is a network protocol and not an app's own scheme":
    "ws wss ftp ftps sftp ssh telnet gopher ldap ldaps smb nfs afp rtsp rdp vnc git svn irc ircs nntp news imap pop",
  "because it starts a message or a call":
    "mailto tel sms smsto mms callto sip sips xmpp facetime facetime-audio geo",
  "because it is a name and leads nowhere": "urn tag cid mid ni",
};

const reasons = new Map(
  Object.entries(refused).flatMap(([reason, schemes]) =>
    schemes.split(" ").map((scheme) => [scheme, reason] as const),
  ),
);

/**
 * Handlers of Windows, some of which run commands. `ms-app` is the scheme that Windows gives to each app for its
 * sign-in.
 */
const windowsHandler = /^ms-(?!app$)/;

/** A domain name of the app's maker in reverse order (RFC 8252 section 7.1). */
const reverseDomain = /^[a-z][a-z0-9+-]*\.[a-z0-9.+-]+$/i;

function schemeOf(uri: string): string {
  return uri.slice(0, uri.indexOf(":"));
}

/** Returns why a redirect URI may not have its scheme; undefined: it may. */
export function schemeProblem(uri: string): string | undefined {
  const scheme = schemeOf(uri).toLowerCase();
  const reason = windowsHandler.test(scheme)
    ? "because Windows takes commands from it"
    : reasons.get(scheme);
  return reason === undefined
    ? undefined
    : `must not have the scheme ${scheme}, ${reason}`;
}

/**
 * Returns a warning about the scheme of a redirect URI that may be registered; undefined: there is none.
 *
 * @param hasPkce false: PKCE is waived for the client, which has a secret then
 */
export function schemeWarning(
  uri: string,
  hasPkce: boolean,
): string | undefined {
  const scheme = schemeOf(uri);
  if (/^https?$/i.test(scheme) || reverseDomain.test(scheme)) return undefined;
  const protection = hasPkce
    ? "PKCE keeps that app from using the code."
    : "Without PKCE, only the secret of the client keeps that app from using the code.";
  return `The redirect URI ${uri} has the scheme ${scheme}, which is not a domain name in reverse order, with a period in it. Any app on the device may register the same scheme and receive the code (RFC 8252 section 8.4). ${protection} That app may also start a sign-in in the name of the client (section 8.6). Prefer an https:// link, or a scheme such as com.example.app.`;
}
