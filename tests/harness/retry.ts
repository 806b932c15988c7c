/**
 * Tests with real processes wait for real time. One that fails is tried once more, and its first failure is printed, so
 * that nothing is hidden: what fails twice is broken.
 */
import { jest } from '@jest/globals';

jest.retryTimes(1, { logErrorsBeforeRetry: true });
