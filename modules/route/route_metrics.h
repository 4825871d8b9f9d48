/* SPDX-License-Identifier: Apache-2.0 */
/* route_metrics.h - how are the providers' keys, for who measures? By name alone (hook ai_metrics). */
#ifndef ROUTE_METRICS_H
#define ROUTE_METRICS_H

void route_metrics_register(void);

#endif
