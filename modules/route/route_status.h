/* SPDX-License-Identifier: Apache-2.0 */
/* route_status.h - how are the providers' keys? Shown on mod_status's page, by name alone. */
#ifndef ROUTE_STATUS_H
#define ROUTE_STATUS_H

void route_status_register(void);

#endif
