# SPDX-License-Identifier: Apache-2.0
#
# keys_test.py - what do the official SDKs for Python make of keys of the gateway?  The same cells as
# keys_test.mjs.  Prints TAP.

import os
import sys

import anthropic
import openai

from stage import Sim, check, failure, gateway, run_gateway, same

ALL = os.environ["AI_KEY_ALL"]
SMALL = os.environ["AI_KEY_SMALL"]
WRONG = ALL[:-1] + ("1" if ALL.endswith("0") else "0")
MESSAGES = [{"role": "user", "content": "hello"}]


def of_openai(key):
    return openai.OpenAI(api_key=key, base_url=gateway("/keys/v1"), max_retries=0)


def of_anthropic(**credentials):
    return anthropic.Anthropic(base_url=gateway("/keys-anthropic"), max_retries=0, **credentials)


def chat(client, model="small-1"):
    return client.chat.completions.create(model=model, messages=MESSAGES)


def talk(client, model="small-1"):
    return client.messages.create(model=model, max_tokens=16, messages=MESSAGES)


def good_key(_sim):
    check(chat(of_openai(ALL), "large").choices[0].message.content, "an answer")
    check(chat(of_openai(SMALL)).choices[0].message.content, "an answer")
    check(talk(of_anthropic(api_key=ALL), "large").content[0].text, "an answer")
    check(talk(of_anthropic(auth_token=SMALL)).content[0].text, "an answer")


def bad_key():
    error = failure(lambda: chat(of_openai(WRONG)), openai.AuthenticationError, 401)
    same(error.code, "malformed_api_key", "code")
    error = failure(lambda: chat(of_openai("sk-somebody-elses")), openai.AuthenticationError, 401)
    same(error.code, "invalid_api_key", "code")
    error = failure(lambda: talk(of_anthropic(api_key=WRONG)), anthropic.AuthenticationError, 401)
    same(error.body["error"]["type"], "authentication_error", "type")
    failure(lambda: talk(of_anthropic(auth_token=WRONG)), anthropic.AuthenticationError, 401)


def models_of_key():
    error = failure(lambda: chat(of_openai(SMALL), "large"), openai.PermissionDeniedError, 403)
    same((error.code, error.param), ("model_not_allowed", "model"), "code and param")
    error = failure(lambda: talk(of_anthropic(api_key=SMALL), "large"),
                    anthropic.PermissionDeniedError, 403)
    same(error.body["error"]["type"], "permission_error", "type")


def models_of_location():
    failure(lambda: chat(of_openai(ALL), "secret"), openai.PermissionDeniedError, 403)
    failure(lambda: talk(of_anthropic(api_key=ALL), "secret"), anthropic.PermissionDeniedError, 403)


def list_of_models():
    same([m.id for m in of_openai(ALL).models.list()], ["small-1", "large"], "models")
    same([m.id for m in of_openai(SMALL).models.list()], ["small-1"], "models")
    same([m.id for m in of_anthropic(api_key=SMALL).models.list()], ["small-1"], "models")


CELLS = {"a good key": good_key}
GATEWAY_CELLS = {
    "a bad key: AuthenticationError": bad_key,
    "a model that the key may not use: PermissionDeniedError": models_of_key,
    "a model that AIAuthModels leaves out: PermissionDeniedError": models_of_location,
    "the list of models is what the key may use": list_of_models,
}

if __name__ == "__main__":
    sys.exit(run_gateway("keys", Sim(dialect="openai", connect=lambda url: None, provider_path="/v1",
                                     gateway_path=lambda name: f"/{name}/v1"), CELLS, GATEWAY_CELLS))
