// In which order files run: the crash bench keeps a processor busy for minutes, most others wait for somebody. One of
// its files beside the others, from the start, and neither of two workers ends long after the other.

import { BaseSequencer, type TestSpecification } from 'vitest/node';

/** So many others begin for each file of the crash bench. */
const OTHERS = 16;

export default class Sequencer extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files);
    const isBusy = ({ moduleId }: TestSpecification) => moduleId.includes('/test/crash/');
    const [busy, others] = [sorted.filter(isBusy), sorted.filter((file) => !isBusy(file))];
    const mixed = busy.flatMap((file, index) => [file, ...others.slice(index * OTHERS, (index + 1) * OTHERS)]);
    return [...mixed, ...others.slice(busy.length * OTHERS)];
  }
}
