/* SPDX-License-Identifier: Apache-2.0 */
/*
 * route_setting.h - the setters of the directives inside <AITarget>.
 *
 * conf is the route_target_t in hand. Each refuses to stand anywhere else, and returns NULL or what
 * is wrong and what is allowed. Only while the configuration is read.
 */
#ifndef ROUTE_SETTING_H
#define ROUTE_SETTING_H

#include "ai_conf.h"
#include "mod_ai.h"

typedef enum route_setting_e {
    ROUTE_STREAM_USAGE,
    ROUTE_TLS_VERIFY,
    ROUTE_TLS_CA_FILE,
    ROUTE_CONNECT_TIMEOUT,
    ROUTE_FIRST_BYTE_TIMEOUT,
    ROUTE_IDLE_TIMEOUT,
    ROUTE_TOTAL_TIMEOUT,
    ROUTE_KEY_ASIDE,
    ROUTE_SETTINGS_N
} route_setting_e;

extern ai_field_t route_setting_fields[ROUTE_SETTINGS_N];

/* NULL, or that the directive in hand stands outside of <AITarget>. */
const char *route_setting_outside(cmd_parms *cmd);

const char *route_setting_field(cmd_parms *cmd, void *conf, const char *arg);
const char *route_setting_url(cmd_parms *cmd, void *conf, const char *url);
const char *route_setting_dialect(cmd_parms *cmd, void *conf, const char *name);
const char *route_setting_header(cmd_parms *cmd, void *conf, const char *name, const char *value);
const char *route_setting_forward(cmd_parms *cmd, void *conf, const char *name);
const char *route_setting_model(cmd_parms *cmd, void *conf, const char *asked, const char *served);
const char *route_setting_price(cmd_parms *cmd, void *conf, int argc, char *const argv[]);

#endif
