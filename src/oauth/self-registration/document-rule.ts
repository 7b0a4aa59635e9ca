import type { Client } from "../entities.ts";
import { invalidFields } from "../errors.ts";
import { fieldChanges } from "../field-changes.ts";
import { documentPart } from "./document-part.ts";

/**
 * Refuses an administrator's change of what the metadata document of a client decides. The client authenticates as its
 * document says, and at its next sign-in the document would undo the change. Of other clients every field may be changed.
 *
 * @param patch the fields to change. Null removes a field
 * @throws OAuthError `admin_body_invalid`, which names each such field
 */
export function refuseChangeOfDocumentPart(
  client: Client,
  patch: object,
): void {
  if (client.registered_by !== "metadata_document") return;
  const changed = documentPart({ ...client, ...patch });
  const changes = fieldChanges({ ...documentPart(client) }, { ...changed });
  if (changes.length === 0) return;
  throw invalidFields(
    changes.map(({ field }) => ({
      path: [field],
      message:
        "is what the client's metadata document says, so it changes only there",
    })),
  );
}
