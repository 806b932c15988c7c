/**
 * Variables by activity, the most active first, the earlier made first among equals: a binary heap.
 */
const ACTIVITY_MAX = 1e100;

export class VariableOrder {
  private activity = new Float64Array(128);
  private heap = new Int32Array(128);
  /** Place in the heap, -1 when taken out. */
  private place = new Int32Array(128);
  private size = 0;
  private step = 1;

  /** Adds the variable that follows the ones already added. */
  add(variable: number): void {
    if (variable >= this.activity.length) {
      const length = this.activity.length * 2;
      const activity = new Float64Array(length);
      activity.set(this.activity);
      this.activity = activity;
      const heap = new Int32Array(length);
      heap.set(this.heap);
      this.heap = heap;
      const place = new Int32Array(length);
      place.set(this.place);
      this.place = place;
    }
    this.place[variable] = -1;
    this.reinsert(variable);
  }

  reinsert(variable: number): void {
    if (this.place[variable]! >= 0) return;
    this.heap[this.size] = variable;
    this.place[variable] = this.size;
    this.rise(this.size++);
  }

  /** Takes out the first variable, -1 when there is none. */
  takeBest(): number {
    if (this.size === 0) return -1;
    const best = this.heap[0]!;
    this.place[best] = -1;
    const last = this.heap[--this.size]!;
    if (this.size > 0) {
      this.heap[0] = last;
      this.place[last] = 0;
      this.sink(0);
    }
    return best;
  }

  bump(variable: number): void {
    const activity = this.activity[variable]! + this.step;
    this.activity[variable] = activity;
    if (activity > ACTIVITY_MAX) this.rescale();
    if (this.place[variable]! >= 0) this.rise(this.place[variable]!);
  }

  decay(factor: number): void {
    this.step *= factor;
  }

  private rescale(): void {
    for (let i = 0; i < this.activity.length; i++) this.activity[i]! /= ACTIVITY_MAX;
    this.step /= ACTIVITY_MAX;
  }

  private before(a: number, b: number): boolean {
    const difference = this.activity[a]! - this.activity[b]!;
    return difference > 0 || (difference === 0 && a < b);
  }

  private rise(from: number): void {
    const { heap, place } = this;
    const variable = heap[from]!;
    let at = from;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!this.before(variable, heap[parent]!)) break;
      heap[at] = heap[parent]!;
      place[heap[at]!] = at;
      at = parent;
    }
    heap[at] = variable;
    place[variable] = at;
  }

  private sink(from: number): void {
    const { heap, place, size } = this;
    const variable = heap[from]!;
    let at = from;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= size) break;
      if (child + 1 < size && this.before(heap[child + 1]!, heap[child]!)) child++;
      if (!this.before(heap[child]!, variable)) break;
      heap[at] = heap[child]!;
      place[heap[at]!] = at;
      at = child;
    }
    heap[at] = variable;
    place[variable] = at;
  }
}
