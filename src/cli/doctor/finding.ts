/** Something that is wrong, with what to do about it. */
export interface Finding {
  /** The name of the check, such as `issuer`. It does not change, so that a script can look for it. */
  check: string;
  /** The setting, the secret, the binding or the record that is wrong. Left out: the check says it. */
  subject?: string;
  problem: string;
  /** What happens if nobody acts. */
  why: string;
  /** A command, or the place where to correct it. */
  remedy: string;
}

/** What has become of one check. */
export interface CheckReport {
  name: string;
  /** What is good. Left out: there are findings, or it was not checked. */
  good?: string;
  findings: Finding[];
  /** Why it was not checked. */
  not_checked?: string;
  /** True: it should have been checked, and nobody knows whether it is good. */
  is_gap?: true;
}

/** What a check found: a sentence if all is good, findings, or why it could not look. With `isGap`, it should have looked. */
export type Outcome = string | Finding[] | { notChecked: string; isGap?: true };

export function reportOf(name: string, outcome: Outcome): CheckReport {
  if (typeof outcome === "string") return { name, good: outcome, findings: [] };
  if (!Array.isArray(outcome))
    return {
      name,
      findings: [],
      not_checked: outcome.notChecked,
      ...(outcome.isGap && { is_gap: true }),
    };
  return { name, findings: outcome };
}
