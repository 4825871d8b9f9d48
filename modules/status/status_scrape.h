/* SPDX-License-Identifier: Apache-2.0 */
/* status_scrape.h - the handler "ai-metrics": what was measured, for Prometheus. */
#ifndef STATUS_SCRAPE_H
#define STATUS_SCRAPE_H

void status_scrape_register(void);

#endif
