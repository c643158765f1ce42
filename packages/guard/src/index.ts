export { type Act, classify, GUARD_REFUSAL_CODES, type GuardRefusalCode, type Verdict } from "./classify.ts";
export { type CommandClass, EFFECT_TABLE, EFFECTS, type Effect, type EffectRow, effectOf } from "./effect.ts";
