/**
 * The most redirect URIs of a client that registers itself. They are fewer than those of other clients, because
 * `/health` and `clients list` read the records of strangers too.
 */
export const MAX_REDIRECT_URIS = 20;
