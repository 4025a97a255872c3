// OfficeHours 0.1.0, state version 1. Generated from the contract's schema.

/** Bytes, as lower-case hexadecimal digits. */
export type Hex = string;
/** A number of 64 bits, as decimal digits: `number` would round it. */
export type Decimal = string;

/** When an office is open. */
export interface Hours {
  opens: number;
  closes: number;
  days: number;
  offset: number;
}

/** An acting person or system with keys and a role. */
export type PrincipalId = number;

/** A health record of one patient, counted from 0 for each patient. */
export type RecordNumber = number;

/** What kind of record it is: coarse on purpose, since it stands in the clear on the chain. */
export type RecordClass =
  | "Clinical"
  | "Laboratory"
  | "Imaging"
  | "Medication"
  | "Device"
  | "Document"
  | "Sensitive";

/** Why someone wants to read; the codes of HL7 v3 PurposeOfUse. */
export type Purpose =
  | "Treatment"
  | "EmergencyTreatment"
  | "Research"
  | "Payment"
  | "Operations"
  | "PatientRequest"
  | "PublicHealth";

/** What a rule is asked. */
export interface AccessRequest {
  patient: PrincipalId;
  record: RecordNumber;
  class: RecordClass;
  requester: PrincipalId;
  purpose: Purpose;
  emergency: boolean;
}

/** What comes with a permit. */
export type Obligations = number;

/** What a rule answers. */
export type RuleDecision =
  | "Abstain"
  | { Deny: { reason: number } }
  | { Oblige: { obligations: Obligations } };

/** Records are read during office hours, unless the glass is broken. */
export interface Contract {
  /** Sets the hours; they must make sense. */
  instantiate: { argument: Hours; output: null };
  /** Refuses outside the hours, but neither emergencies nor patients who read their own records. */
  decide: { argument: AccessRequest; output: RuleDecision };
  query: {
    /** The hours. */
    hours: { argument: null; output: Hours | null };
  };
}

export const query = {
  hours: 0,
} as const satisfies Record<keyof Contract["query"], number>;

export const reasons = {
  /** Outside office hours. */
  "outside-hours": 256,
} as const;
