/** The trace that the page was served in: by a meta element, or by the answer's Server-Timing. */
export const traceparent = () =>
  document.querySelector<HTMLMetaElement>('[name=traceparent]')?.content ||
  (performance.getEntriesByType('navigation')[0] as PerformanceNavigationTiming)?.serverTiming?.find(
    (entry) => entry.name == 'traceparent',
  )?.description
