import * as v from "valibot";
import type { Seconds } from "../oauth/duration.ts";
import type { Parameters } from "../oauth/parameters.ts";
import { maxCharacters, parse } from "../oauth/schema.ts";
import { subject } from "../oauth/subject.ts";

/** What a person has typed on the development sign-in page, and answered. */

/** The most characters of a display name and of an e-mail address. */
export const MAX_CHARACTERS = 254;

const fields = {
  subject: { label: "The user name", schema: subject },
  name: {
    label: "The display name",
    schema: v.pipe(v.string(), maxCharacters(MAX_CHARACTERS)),
  },
  email: {
    label: "The e-mail address",
    schema: v.pipe(
      v.string(),
      maxCharacters(MAX_CHARACTERS),
      v.regex(/^[^\s@]+@[^\s@]+$/, "must be like alice@example.com"),
    ),
  },
};

export type FieldName = keyof typeof fields;

export const fieldNames = Object.keys(fields) as FieldName[];

/** What is wrong with a field. */
export interface Problem {
  field: FieldName;
  text: string;
}

/** Reads the fields as they were typed. */
export function typedIn(form: Parameters): Partial<Record<FieldName, string>> {
  const values = fieldNames.map((name) => [name, form.optional(name)] as const);
  return Object.fromEntries(values.filter(([, value]) => value !== undefined));
}

/** Reads the answer, with the claims about the person for the ID token; or the first problem of a field. */
export function readAnswer(form: Parameters, now: Seconds) {
  if (form.required("answer") !== "allow")
    return { error: "access_denied" as const };
  const { subject, name, email } = typedIn(form);
  if (subject === undefined) {
    const text = "Type a user name.";
    return { problem: { field: "subject", text } satisfies Problem };
  }
  const problem =
    problemOf("subject", subject) ??
    problemOf("name", name) ??
    problemOf("email", email);
  if (problem) return { problem };
  return {
    subject,
    scope: form.all("scope").join(" "),
    auth_time: now,
    id_token_claims: {
      preferred_username: subject,
      ...(name !== undefined && { name }),
      ...(email !== undefined && { email, email_verified: true }),
    },
  };
}

function problemOf(
  field: FieldName,
  value: string | undefined,
): Problem | undefined {
  if (value === undefined) return undefined;
  const { label, schema } = fields[field];
  const { issues } = parse(schema, value);
  const problems = issues?.map(({ message }) => message);
  return problems && { field, text: `${label} ${problems.join(", and ")}.` };
}
