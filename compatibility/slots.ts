/**
 * Whether the units of a printer fit the slots of its apparatus.
 *
 * A unit stands in one slot of its kind that accepts its model. Slots may overlap in what they accept, so a unit is
 * placed by augmenting paths (bipartite matching with capacities), never by the first slot that would take it.
 */
import type { Finding } from '../schemas/types.ts';
import type { CompiledApparatus, CompiledSlot } from './tables.ts';
import { APPARATUS, type Host } from './world.ts';

/** Indices of the slots that accept a unit of this kind and model. */
export function slotsAccepting(slots: readonly CompiledSlot[], kind: string, model: string): number[] {
  const accepting: number[] = [];
  for (let i = 0; i < slots.length; i++) {
    if (slots[i]!.kind === kind && slots[i]!.models.has(model)) accepting.push(i);
  }
  return accepting;
}

/** Places units into slots one by one, moving earlier ones where that makes room. Gives the slot of each, or -1. */
function placeAll(options: readonly (readonly number[])[], capacities: readonly number[]): number[] {
  const slotOf: number[] = options.map(() => -1);
  const inSlot: number[][] = capacities.map(() => []);
  const place = (unit: number, tried: Set<number>): boolean => {
    for (const slot of options[unit]!) {
      if (tried.has(slot)) continue;
      tried.add(slot);
      const held = inSlot[slot]!;
      const movable = held.length < capacities[slot]! ? -1 : held.findIndex((other) => place(other, tried));
      if (held.length >= capacities[slot]! && movable < 0) continue;
      if (movable >= 0) held.splice(movable, 1);
      held.push(unit);
      slotOf[unit] = slot;
      return true;
    }
    return false;
  };
  for (let unit = 0; unit < options.length; unit++) place(unit, new Set());
  return slotOf;
}

/** How many units each slot lacks to its minimum in the best placement. */
function lacking(options: readonly (readonly number[])[], slots: readonly CompiledSlot[]): number[] {
  const filled = placeAll(
    options,
    slots.map((slot) => slot.min),
  );
  const missing = slots.map((slot) => slot.min);
  for (const slot of filled) if (slot >= 0) missing[slot]!--;
  return missing;
}

const NO_FAULTS: readonly Finding[] = [];

/** Whether every unit has just one slot to be in, and every slot as many as it takes: nothing needs placing then. */
function fitPlainly(slots: readonly CompiledSlot[], hosts: readonly Host[]): boolean {
  const counts = new Uint32Array(slots.length);
  for (let h = 1; h < hosts.length; h++) {
    const { kind, model, spare } = hosts[h]!;
    if (spare) continue;
    let only = -1;
    for (let i = 0; i < slots.length; i++) {
      const slot = slots[i]!;
      if (slot.kind !== kind || !slot.models.has(model)) continue;
      if (only >= 0) return false;
      only = i;
    }
    if (only < 0) return false;
    counts[only]!++;
  }
  for (let i = 0; i < slots.length; i++) {
    if (counts[i]! < slots[i]!.min || counts[i]! > slots[i]!.max) return false;
  }
  return true;
}

/**
 * Findings of units that no slot accepts, slots over their maximum and slots under their minimum.
 * A placement that keeps all maxima and one that fills all minima together give one that does both
 * (Mendelsohn and Dulmage), so the two are looked for apart.
 */
export function findSlotFaults(apparatus: CompiledApparatus, hosts: readonly Host[]): readonly Finding[] {
  const slots = apparatus.slots ?? [];
  if (fitPlainly(slots, hosts)) return NO_FAULTS;
  const findings: Finding[] = [];
  const units: Host[] = [];
  const options: number[][] = [];
  for (const host of hosts) {
    if (host.index === 0 || host.spare) continue;
    const accepting = slotsAccepting(slots, host.kind, host.model);
    if (accepting.length > 0) {
      units.push(host);
      options.push(accepting);
      continue;
    }
    findings.push({
      rule: `${apparatus.model} has a slot for ${host.kind} ${host.model}`,
      subjects: [APPARATUS, host.symbol],
      severity: 'boot',
      message: `No slot of ${apparatus.model} accepts ${host.symbol}, a ${host.kind} ${host.model}.`,
    });
  }
  const capacities = slots.map((slot) => slot.max);
  const slotOf = placeAll(options, capacities);
  const over = new Map<number, string[]>();
  for (const [i, slot] of slotOf.entries()) {
    if (slot >= 0) continue;
    const first = options[i]![0]!;
    over.set(first, [...(over.get(first) ?? []), units[i]!.symbol]);
  }
  for (const [slot, symbols] of over) {
    const { text, max } = slots[slot]!;
    const there = units.filter((_, i) => options[i]!.includes(slot)).length;
    findings.push({
      rule: `${apparatus.model} takes at most ${max} in its ${text}`,
      subjects: [APPARATUS, ...symbols],
      severity: 'boot',
      message: `${apparatus.model} takes at most ${max} in its ${text}, but there are ${there}.`,
    });
  }
  for (const [slot, missing] of lacking(options, slots).entries()) {
    if (missing <= 0) continue;
    const { text, min } = slots[slot]!;
    findings.push({
      rule: `${apparatus.model} needs at least ${min} in its ${text}`,
      subjects: [APPARATUS],
      severity: 'boot',
      message: `${apparatus.model} needs at least ${min} in its ${text}, ${missing} missing.`,
    });
  }
  return findings;
}
