import { expect } from "vitest";
import type { Reason } from "../../src/oauth/errors.ts";
import { reasonOf } from "./request-lines.ts";
import type { ErrorBody, TestClient } from "./server.ts";

/** A client as the admin API shows it. */
export interface ClientRecord extends TestClient {
  credentials: { created_at: number; expires_at?: number }[];
  [field: string]: unknown;
}

/** Reads which fields a 400 names, and why. The error description must name each of them too. */
export async function fieldErrors(
  response: Response,
  reason: Reason = "admin_body_invalid",
): Promise<Record<string, string>> {
  expect(response.status).toBe(400);
  expect(reasonOf(response)).toBe(reason);
  const body = await response.json<ErrorBody>();
  expect(body.error).toBe("invalid_request");
  for (const field of Object.keys(body.fields ?? {})) {
    expect(body.error_description).toContain(field);
  }
  return body.fields ?? {};
}
