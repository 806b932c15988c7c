/** A priority queue by due time: a binary heap. */
export class DeadlineQueue<T> {
  private readonly heap: [number, T][] = [];

  get size(): number {
    return this.heap.length;
  }

  push(due: number, item: T): void {
    const { heap } = this;
    let place = heap.length;
    heap.push([due, item]);
    while (place > 0) {
      const parent = (place - 1) >> 1;
      const above = heap[parent] as [number, T];
      if (above[0] <= due) break;
      heap[place] = above;
      place = parent;
    }
    heap[place] = [due, item];
  }

  /** Removes everything due at or before `now`, earliest first. */
  *until(now: number): Generator<[number, T]> {
    for (let first = this.heap[0]; first && first[0] <= now; first = this.heap[0]) {
      this.pop();
      yield first;
    }
  }

  private pop(): void {
    const { heap } = this;
    const last = heap.pop();
    if (!last || heap.length === 0) return;
    let place = 0;
    for (;;) {
      let child = place * 2 + 1;
      const left = heap[child];
      if (!left) break;
      const right = heap[child + 1];
      if (right && right[0] < left[0]) child += 1;
      const smaller = heap[child] as [number, T];
      if (smaller[0] >= last[0]) break;
      heap[place] = smaller;
      place = child;
    }
    heap[place] = last;
  }
}
