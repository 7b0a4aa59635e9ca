import type { ClientKey } from "../client-keys.ts";

/**
 * Public keys whose private halves were thrown away. An assertion for a client that does not exist is verified with
 * one of them, so that it takes as long as one for a client that does.
 */
export const decoys = {
  "P-256": {
    kty: "EC",
    crv: "P-256",
    x: "dOyT60xvU_WFQy90fNbSq8s-KU3yoO0b_6Ipq4H_5Y4",
    y: "szAZtX-IJFPC70P9BfwyUczEJo7AvW8vspGa-ZgrsQc",
  },
  "P-384": {
    kty: "EC",
    crv: "P-384",
    x: "dRJXvb2G9cVZ8IQHsXsKaKqyIEPELcWlOe62WpXXxm8qIoJ5GqQgEKTB12gTq9SB",
    y: "uvD6Ba3XyiEwk0LaR8KJOK5h5yxLorH1wtg97o4EshOCbe9tuITPr8O_R2oulGGp",
  },
  "P-521": {
    kty: "EC",
    crv: "P-521",
    x: "ASuWfqh65ho_heDhKnGar5JdzhWZV7K3UpLAbr0v7yCNupaQHKOi7U8mS89dv4TViEv5owm3HKV6OzMX-lKoTMC0",
    y: "AThLPVJOE4x3ixnF-_gVZFiOQJRNSxbfXZ6yheCCbBxsx-rwnOhVrU0XmcOfRRqoS334NfpcZvxTPMhhFlXAevus",
  },
  Ed25519: {
    kty: "OKP",
    crv: "Ed25519",
    x: "dL5vj-tX1qcdHRnOlQuUELdrMW4WHS3Eo-VCqD9mV3g",
  },
  RSA: {
    kty: "RSA",
    n: "67l7xlLX9alplhl0yuLngmuuOXRHRh6A9qmo4b45RMepjPw6yTLZJ-Prlp6HdetNwAM5vCO9EiF8uiEtPfodCNFK5w1V4EnGZ74_atuhhvo1rdUJWWft71eI1jOMj3GFNvU5ZgitxRTUb9d2t9Xs0DA0YQUGOVf5vlJ3dia3lGjvxbRJCL9vEfscJnQI9CSXDcQ-JTZq1wbmKv8rwmPb8qBSwckmTGLkc0zt_xBq4UO6qH411yljazHlaZ2oHdBPGFgIo8ZiIc_JMQwPW-T2oJlyKeibdcLqi_Vg_e9zSDQrYrb5sgSEjn4e1XrmluPcKs2Zq3AtMoQxwOdFIKBcOw",
    e: "AQAB",
  },
} as const satisfies Record<string, ClientKey>;
