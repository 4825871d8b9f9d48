/* SPDX-License-Identifier: Apache-2.0 */
/* route_source.h - has a key changed where it comes from? */
#ifndef ROUTE_SOURCE_H
#define ROUTE_SOURCE_H

#include <httpd.h>

/* In child_init: starts the thread that looks at files and runs programs, if there are any. It ends
 * with p. */
void route_source_watch(apr_pool_t *p, server_rec *s);

#endif
