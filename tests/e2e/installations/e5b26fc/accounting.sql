PRAGMA auto_vacuum = 2;
BEGIN TRANSACTION;
CREATE TABLE accounts (
	budget_id TEXT NOT NULL, 
	label VARCHAR(10) NOT NULL, 
	spent BIGINT NOT NULL, 
	reserved BIGINT NOT NULL, 
	warned INTEGER NOT NULL, 
	CONSTRAINT pk_accounts PRIMARY KEY (budget_id, label)
);
INSERT INTO "accounts" VALUES('key:b2049dd49cce4babbf84da23bdcecf40:month','2026-11-01',243000,0,0);
INSERT INTO "accounts" VALUES('limit:01M8KZ2A7ZBWFZBA6VPTH6YEYF','2026-11-01',721000,0,0);
INSERT INTO "accounts" VALUES('household:month','2026-11-01',1976500,0,0);
CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "alembic_version" VALUES('0004');
CREATE TABLE audit (
	row_id INTEGER NOT NULL, 
	at DOUBLE NOT NULL, 
	actor TEXT NOT NULL, 
	act TEXT NOT NULL, 
	subject TEXT NOT NULL, 
	CONSTRAINT pk_audit PRIMARY KEY (row_id)
);
INSERT INTO "audit" VALUES(1,1.79596644576433515545e+09,'','key.create','0523fa24211941989cc4001f12f744f6');
INSERT INTO "audit" VALUES(2,1.79596644690384340289e+09,'','key.create','b2049dd49cce4babbf84da23bdcecf40');
INSERT INTO "audit" VALUES(3,1.79596644695328569408e+09,'','budget.set','key:b2049dd49cce4babbf84da23bdcecf40:month');
INSERT INTO "audit" VALUES(4,1.7959664470938198566e+09,'','key.create','fbc3e4693db64be7ac3f51b92f3a5203');
INSERT INTO "audit" VALUES(5,1.79596644725946927075e+09,'','key.update','fbc3e4693db64be7ac3f51b92f3a5203');
INSERT INTO "audit" VALUES(6,1.79596644728831291194e+09,'c7476accb8084f0f9a1ded69367fe972','budget.set','household:month');
INSERT INTO "audit" VALUES(7,1.79596646057866907121e+09,'c7476accb8084f0f9a1ded69367fe972','budget.set','household:month');
INSERT INTO "audit" VALUES(8,1.79596646261515760422e+09,'c7476accb8084f0f9a1ded69367fe972','budget.set','household:month');
CREATE TABLE bodies (
	row_id INTEGER NOT NULL, 
	generation_id TEXT NOT NULL, 
	created DOUBLE NOT NULL, 
	conversation_id TEXT, 
	key_id TEXT, 
	user_id TEXT, 
	request TEXT, 
	response TEXT, 
	CONSTRAINT pk_bodies PRIMARY KEY (row_id)
);
INSERT INTO "bodies" VALUES(1,'req_dc90f11ebf1160cb30ff7ee9dde6b907',1.79596644784614968299e+09,'c:037219d793f1bb55f0ce2832930fed6b','0523fa24211941989cc4001f12f744f6',NULL,'{"model":"gpt-4.1","messages":[{"role":"user","content":"How warm is the kitchen?"}],"stream":false}','{"id": "chatcmpl-fake", "object": "chat.completion", "created": 1700000000, "model": "gpt-4.1", "choices": [{"index": 0, "message": {"role": "assistant", "content": "Hello there, this is the house.", "refusal": null, "annotations": []}, "logprobs": null, "finish_reason": "stop"}], "usage": {"prompt_tokens": 21, "completion_tokens": 8, "total_tokens": 29, "prompt_tokens_details": {"cached_tokens": 3, "audio_tokens": 0}, "completion_tokens_details": {"reasoning_tokens": 2, "audio_tokens": 0}}}');
INSERT INTO "bodies" VALUES(2,'req_c44e0569111ff01029ff387dc711a0ac',1.79596644785086822504e+09,'c:fbc1beb71a6c8946eef9cf9f198c0278','b2049dd49cce4babbf84da23bdcecf40','c7476accb8084f0f9a1ded69367fe972','{"model":"clever","messages":[{"role":"user","content":"How warm is the kitchen?"}],"stream":true,"stream_options":{"include_usage":true}}','Hello there, this is the house.');
INSERT INTO "bodies" VALUES(3,'req_e89b9f642c8da45ef9b69a858ab3ca7f',1.79596644785756111143e+09,'c:fbc1beb71a6c8946eef9cf9f198c0278','b2049dd49cce4babbf84da23bdcecf40','c7476accb8084f0f9a1ded69367fe972','{"model":"phi4:latest","messages":[{"role":"user","content":"How warm is the kitchen?"}],"stream":false}','{"id":"chatcmpl-b8cbe624f58e48088f5e06a2b8000d73","object":"chat.completion","created":1795966447,"model":"phi4:latest","choices":[{"index":0,"message":{"role":"assistant","content":"Hello there, this is the house."},"logprobs":null,"finish_reason":"stop"}],"usage":{"prompt_tokens":21,"completion_tokens":8,"total_tokens":29,"prompt_tokens_details":{"cached_tokens":0},"completion_tokens_details":{"reasoning_tokens":0}}}');
INSERT INTO "bodies" VALUES(4,'req_1599d149df6edfd6fd4a9a56dbbd7045',1.79596644786451959613e+09,'c:037219d793f1bb55f0ce2832930fed6b','0523fa24211941989cc4001f12f744f6',NULL,'{"model":"office-model","messages":[{"role":"user","content":"How warm is the kitchen?"}],"stream":false}','{"object": "chat.completion", "choices": [{"index": 0, "message": {"role": "assistant", "content": "Hello from the office."}, "finish_reason": "stop"}], "usage": {"prompt_tokens": 12, "completion_tokens": 3, "total_tokens": 15, "cost": 0.0002, "prompt_tokens_details": {"cached_tokens": 4}}}');
INSERT INTO "bodies" VALUES(5,'gen_5c77140dcf31b8192ce58db586e84fef',1.79596644790012168889e+09,'n:9982938acef6cddc82fcbf6ef7de4a0b',NULL,'c7476accb8084f0f9a1ded69367fe972','{"model":"office-model","stream":true,"tools":[{"type":"function","function":{"name":"assist_satellite__HassBroadcast","description":"Broadcast a message through the home","parameters":{"type":"object","properties":{"message":{"type":"string"}},"required":["message"],"additionalProperties":false}}},{"type":"function","function":{"name":"homeassistant__GetLiveContext","description":"Provides real-time information about the CURRENT state, value, or mode of devices, sensors, entities, or areas. Use this tool for: 1. Answering questions about current conditions (e.g., ''Is the light on?''). 2. As the first step in conditional actions (e.g., ''If the weather is rainy, turn off sprinklers'' requires checking the weather first). You may filter for devices by name, domain, and area, including combining those filters. Prefer filtering by domain when searching for multiple devices of the same type.","parameters":{"type":"object","properties":{"name":{"type":"string","description":"Filter entities by name or alias (case-insensitive)."},"domain":{"anyOf":[{"type":"string"},{"type":"array","items":{"type":"string"}}],"description":"Filter entities by domain (e.g. ''light'', ''sensor''). Accepts a single domain or a list."},"area":{"type":"string","description":"Filter entities by area name or alias (case-insensitive)."}},"additionalProperties":false}}},{"type":"function","function":{"name":"intent__HassCancelAllTimers","description":"Cancels all timers","parameters":{"type":"object","properties":{"area":{"type":"string"}},"additionalProperties":false}}},{"type":"function","function":{"name":"intent__HassTurnOff","description":"Turns off/closes a device or entity. For locks, this performs an ''unlock'' action. Use for requests like ''turn off'', ''deactivate'', ''disable'', or ''unlock''.","parameters":{"type":"object","properties":{"name":{"type":"string"},"area":{"type":"string"},"floor":{"type":"string"},"domain":{"type":"array","items":{"type":"string"}},"device_class":{"type":"array","items":{"type":"string","enum":["identify","restart","update","awning","blind","curtain","damper","door","garage","gate","shade","shutter","window","tv","speaker","receiver","projector","outlet","switch","water","gas"]}}},"additionalProperties":false}}},{"type":"function","function":{"name":"intent__HassTurnOn","description":"Turns on/opens/presses a device or entity. For locks, this performs a ''lock'' action. Use for requests like ''turn on'', ''activate'', ''enable'', or ''lock''.","parameters":{"type":"object","properties":{"name":{"type":"string"},"area":{"type":"string"},"floor":{"type":"string"},"domain":{"type":"array","items":{"type":"string"}},"device_class":{"type":"array","items":{"type":"string","enum":["identify","restart","update","awning","blind","curtain","damper","door","garage","gate","shade","shutter","window","tv","speaker","receiver","projector","outlet","switch","water","gas"]}}},"additionalProperties":false}}},{"type":"function","function":{"name":"light__HassLightSet","description":"Sets the brightness percentage or color of a light","parameters":{"type":"object","properties":{"name":{"type":"string"},"area":{"type":"string"},"floor":{"type":"string"},"domain":{"type":"array","items":{"type":"string","enum":["light"]}},"color":{"type":"string"},"temperature":{"type":"integer","minimum":0},"brightness":{"type":"integer","minimum":0,"maximum":100,"description":"The brightness percentage of the light between 0 and 100, where 0 is off and 100 is fully lit"}},"additionalProperties":false}}},{"type":"function","function":{"name":"llm__GetDateTime","description":"Provides the current date and time.","parameters":{"type":"object","properties":{},"additionalProperties":false}}}],"messages":[{"role":"system","content":"You are a voice assistant for Home Assistant.\nAnswer questions about the world truthfully.\nRespond simply and to the point in plain text.\nYou ARE equipped to answer questions about the current state of\nthe home by retrieving live context. This is a primary function. Do not state you lack the\nfunctionality if the question requires live data.\nIf the user asks about device existence/type (e.g., \"Do I have lights in the bedroom?\"): Answer\nfrom the static context below.\nIf the user asks about the CURRENT state, value, or mode (e.g., \"Is the lock locked?\",\n\"Is the fan on?\", \"What mode is the thermostat in?\", \"What is the temperature outside?\"):\n    1.  Recognize this requires live data.\n    2.  You MUST use the provided tool to retrieve live context. This tool will provide the needed real-time information (like temperature from the local weather, lock status, etc.).\n    3.  Use the tool''s response** to answer the user accurately (e.g., \"The temperature outside is [value from tool].\").\nFor general knowledge questions not about the home: Answer truthfully from internal knowledge.\n\nStatic Context: An overview of the areas and the devices in this smart home:\n- names: Bedroom humidity\n  domain: sensor\n  areas: Bedroom\n- names: Bedroom light\n  domain: light\n  areas: Bedroom\n- names: Coffee machine\n  domain: switch\n  areas: Kitchen\n- names: House AI Answer requests\n  domain: switch\n- names: Kitchen light\n  domain: light\n  areas: Kitchen\n- names: Living room lamp\n  domain: light\n  areas: Living Room\n- names: Living room temperature\n  domain: sensor\n  areas: Living Room\n\nWhen controlling Home Assistant always call the intent tools. Use intent__HassTurnOn to lock and intent__HassTurnOff to unlock a lock. When controlling a device, prefer passing just name and domain. When controlling an area, prefer passing just area name and domain.\nWhen a user asks to turn on all devices of a specific type, ask the user to specify an area, unless there is only one device of that type.\nThis device is not able to start timers."},{"role":"user","content":"Tell me something"}],"stream_options":{"include_usage":true}}','Hello from the office.');
INSERT INTO "bodies" VALUES(6,'gen_32b153d6c9ccc431456ec586e12c5348',1.7959664479061181545e+09,'n:dbc2adde89fca651e3a73044ee56e418',NULL,'c7476accb8084f0f9a1ded69367fe972','{"model":"house","stream":true,"tools":[{"type":"function","function":{"name":"assist_satellite__HassBroadcast","description":"Broadcast a message through the home","parameters":{"type":"object","properties":{"message":{"type":"string"}},"required":["message"],"additionalProperties":false}}},{"type":"function","function":{"name":"homeassistant__GetLiveContext","description":"Provides real-time information about the CURRENT state, value, or mode of devices, sensors, entities, or areas. Use this tool for: 1. Answering questions about current conditions (e.g., ''Is the light on?''). 2. As the first step in conditional actions (e.g., ''If the weather is rainy, turn off sprinklers'' requires checking the weather first). You may filter for devices by name, domain, and area, including combining those filters. Prefer filtering by domain when searching for multiple devices of the same type.","parameters":{"type":"object","properties":{"name":{"type":"string","description":"Filter entities by name or alias (case-insensitive)."},"domain":{"anyOf":[{"type":"string"},{"type":"array","items":{"type":"string"}}],"description":"Filter entities by domain (e.g. ''light'', ''sensor''). Accepts a single domain or a list."},"area":{"type":"string","description":"Filter entities by area name or alias (case-insensitive)."}},"additionalProperties":false}}},{"type":"function","function":{"name":"intent__HassCancelAllTimers","description":"Cancels all timers","parameters":{"type":"object","properties":{"area":{"type":"string"}},"additionalProperties":false}}},{"type":"function","function":{"name":"intent__HassTurnOff","description":"Turns off/closes a device or entity. For locks, this performs an ''unlock'' action. Use for requests like ''turn off'', ''deactivate'', ''disable'', or ''unlock''.","parameters":{"type":"object","properties":{"name":{"type":"string"},"area":{"type":"string"},"floor":{"type":"string"},"domain":{"type":"array","items":{"type":"string"}},"device_class":{"type":"array","items":{"type":"string","enum":["identify","restart","update","awning","blind","curtain","damper","door","garage","gate","shade","shutter","window","tv","speaker","receiver","projector","outlet","switch","water","gas"]}}},"additionalProperties":false}}},{"type":"function","function":{"name":"intent__HassTurnOn","description":"Turns on/opens/presses a device or entity. For locks, this performs a ''lock'' action. Use for requests like ''turn on'', ''activate'', ''enable'', or ''lock''.","parameters":{"type":"object","properties":{"name":{"type":"string"},"area":{"type":"string"},"floor":{"type":"string"},"domain":{"type":"array","items":{"type":"string"}},"device_class":{"type":"array","items":{"type":"string","enum":["identify","restart","update","awning","blind","curtain","damper","door","garage","gate","shade","shutter","window","tv","speaker","receiver","projector","outlet","switch","water","gas"]}}},"additionalProperties":false}}},{"type":"function","function":{"name":"light__HassLightSet","description":"Sets the brightness percentage or color of a light","parameters":{"type":"object","properties":{"name":{"type":"string"},"area":{"type":"string"},"floor":{"type":"string"},"domain":{"type":"array","items":{"type":"string","enum":["light"]}},"color":{"type":"string"},"temperature":{"type":"integer","minimum":0},"brightness":{"type":"integer","minimum":0,"maximum":100,"description":"The brightness percentage of the light between 0 and 100, where 0 is off and 100 is fully lit"}},"additionalProperties":false}}},{"type":"function","function":{"name":"llm__GetDateTime","description":"Provides the current date and time.","parameters":{"type":"object","properties":{},"additionalProperties":false}}}],"messages":[{"role":"system","content":"You are a voice assistant for Home Assistant.\nAnswer questions about the world truthfully.\nRespond simply and to the point in plain text.\nYou ARE equipped to answer questions about the current state of\nthe home by retrieving live context. This is a primary function. Do not state you lack the\nfunctionality if the question requires live data.\nIf the user asks about device existence/type (e.g., \"Do I have lights in the bedroom?\"): Answer\nfrom the static context below.\nIf the user asks about the CURRENT state, value, or mode (e.g., \"Is the lock locked?\",\n\"Is the fan on?\", \"What mode is the thermostat in?\", \"What is the temperature outside?\"):\n    1.  Recognize this requires live data.\n    2.  You MUST use the provided tool to retrieve live context. This tool will provide the needed real-time information (like temperature from the local weather, lock status, etc.).\n    3.  Use the tool''s response** to answer the user accurately (e.g., \"The temperature outside is [value from tool].\").\nFor general knowledge questions not about the home: Answer truthfully from internal knowledge.\n\nStatic Context: An overview of the areas and the devices in this smart home:\n- names: Bedroom humidity\n  domain: sensor\n  areas: Bedroom\n- names: Bedroom light\n  domain: light\n  areas: Bedroom\n- names: Coffee machine\n  domain: switch\n  areas: Kitchen\n- names: House AI Answer requests\n  domain: switch\n- names: Kitchen light\n  domain: light\n  areas: Kitchen\n- names: Living room lamp\n  domain: light\n  areas: Living Room\n- names: Living room temperature\n  domain: sensor\n  areas: Living Room\n\nWhen controlling Home Assistant always call the intent tools. Use intent__HassTurnOn to lock and intent__HassTurnOff to unlock a lock. When controlling a device, prefer passing just name and domain. When controlling an area, prefer passing just area name and domain.\nWhen a user asks to turn on all devices of a specific type, ask the user to specify an area, unless there is only one device of that type.\nThis device is not able to start timers."},{"role":"user","content":"Tell me something"}],"stream_options":{"include_usage":true}}','Hello there, this is the house.');
INSERT INTO "bodies" VALUES(7,'gen_8f5a917ef49062f178b3c73ddb403e9c',1.79596644791035246844e+09,NULL,NULL,'c7476accb8084f0f9a1ded69367fe972','{"model":"auto","messages":[{"role":"user","content":"Hi"}],"stream":false}','{"object": "chat.completion", "choices": [{"index": 0, "message": {"role": "assistant", "content": "Hello from the attic."}, "finish_reason": "stop"}], "usage": {"prompt_tokens": 12, "completion_tokens": 3, "total_tokens": 15}}');
INSERT INTO "bodies" VALUES(8,'gen_36e2bc6e2b60a05e7969fef2f656e06c',1795966447.91569,'n:95b13d83905de010508c1a053240f695',NULL,NULL,'{"model":"office-model","stream":true,"messages":[{"role":"system","content":"You are a Home Assistant expert and help users with their tasks.\nCurrent time is 15:34:07. Today''s date is 2026-11-29."},{"role":"user","content":"Say something"}],"stream_options":{"include_usage":true}}','Hello from the office.');
INSERT INTO "bodies" VALUES(9,'req_cb18b7a6f707cc5fd2d8337c9088ebd7',1.79596645113729500766e+09,'c:037219d793f1bb55f0ce2832930fed6b','0523fa24211941989cc4001f12f744f6',NULL,'{"model":"house","messages":[{"role":"user","content":"How warm is the kitchen?"}],"stream":false}','{"id":"chatcmpl-4183c974539c48d182ce80b6e0d6337c","object":"chat.completion","created":1795966452,"model":"qwen3:8b","choices":[{"index":0,"message":{"role":"assistant","content":"Hello there, this is the house."},"logprobs":null,"finish_reason":"stop"}],"usage":{"prompt_tokens":21,"completion_tokens":8,"total_tokens":29,"prompt_tokens_details":{"cached_tokens":0},"completion_tokens_details":{"reasoning_tokens":0}}}');
INSERT INTO "bodies" VALUES(10,'req_993a66d872dfa9e8953aed4c07e61b5b',1.7959664541963582039e+09,'c:fbc1beb71a6c8946eef9cf9f198c0278','b2049dd49cce4babbf84da23bdcecf40','c7476accb8084f0f9a1ded69367fe972','{"model":"homeassistant/assist","messages":[{"role":"user","content":"How warm is the kitchen?"}],"stream":false}','{"id":"chatcmpl-1cb99a39e09d4081beaa82c4936bf2af","object":"chat.completion","created":1795966454,"model":"homeassistant/assist","choices":[{"index":0,"message":{"role":"assistant","content":"Sorry, I am not aware of any climate in the Kitchen area"},"logprobs":null,"finish_reason":"stop"}],"usage":{"prompt_tokens":6,"completion_tokens":14,"total_tokens":20,"prompt_tokens_details":{"cached_tokens":0},"completion_tokens_details":{"reasoning_tokens":0}}}');
INSERT INTO "bodies" VALUES(11,'req_9636e162732fa406fe071d1500bef46e',1.79596646049656248093e+09,'c:037219d793f1bb55f0ce2832930fed6b','0523fa24211941989cc4001f12f744f6',NULL,'{"model":"gpt-4.1","messages":[{"role":"user","content":"How warm is the kitchen?"}],"stream":false}','{"id": "chatcmpl-fake", "object": "chat.completion", "created": 1700000000, "model": "gpt-4.1", "choices": [{"index": 0, "message": {"role": "assistant", "content": "Hello there, this is the house.", "refusal": null, "annotations": []}, "logprobs": null, "finish_reason": "stop"}], "usage": {"prompt_tokens": 21, "completion_tokens": 8, "total_tokens": 29, "prompt_tokens_details": {"cached_tokens": 3, "audio_tokens": 0}, "completion_tokens_details": {"reasoning_tokens": 2, "audio_tokens": 0}}}');
INSERT INTO "bodies" VALUES(12,'req_09e1501ad8825e764be1839642e08cd0',1.79596646050037097933e+09,'c:fbc1beb71a6c8946eef9cf9f198c0278','b2049dd49cce4babbf84da23bdcecf40','c7476accb8084f0f9a1ded69367fe972','{"model":"clever","messages":[{"role":"user","content":"How warm is the kitchen?"}],"stream":true,"stream_options":{"include_usage":true}}','Hello there, this is the house.');
INSERT INTO "bodies" VALUES(13,'req_b9b26d62dc0dd43410622938113d3cc6',1.79596646051115488998e+09,'c:fbc1beb71a6c8946eef9cf9f198c0278','b2049dd49cce4babbf84da23bdcecf40','c7476accb8084f0f9a1ded69367fe972','{"model":"phi4:latest","messages":[{"role":"user","content":"How warm is the kitchen?"}],"stream":false}','{"id":"chatcmpl-066b19c690ce4f289612e8941ab9aa13","object":"chat.completion","created":1795966460,"model":"phi4:latest","choices":[{"index":0,"message":{"role":"assistant","content":"Hello there, this is the house."},"logprobs":null,"finish_reason":"stop"}],"usage":{"prompt_tokens":21,"completion_tokens":8,"total_tokens":29,"prompt_tokens_details":{"cached_tokens":0},"completion_tokens_details":{"reasoning_tokens":0}}}');
INSERT INTO "bodies" VALUES(14,'req_1abb855431e2a79c9237d6e5ec46e766',1.79596646051484012604e+09,'c:037219d793f1bb55f0ce2832930fed6b','0523fa24211941989cc4001f12f744f6',NULL,'{"model":"office-model","messages":[{"role":"user","content":"How warm is the kitchen?"}],"stream":false}','{"object": "chat.completion", "choices": [{"index": 0, "message": {"role": "assistant", "content": "Hello from the office."}, "finish_reason": "stop"}], "usage": {"prompt_tokens": 12, "completion_tokens": 3, "total_tokens": 15, "cost": 0.0002, "prompt_tokens_details": {"cached_tokens": 4}}}');
INSERT INTO "bodies" VALUES(15,'gen_a28663cf291dd4847ba2fe51d5b652fb',1.79596646052447652818e+09,'n:2c4633dd3eea8cca1390ae6a77694d2e',NULL,'c7476accb8084f0f9a1ded69367fe972','{"model":"office-model","stream":true,"tools":[{"type":"function","function":{"name":"assist_satellite__HassBroadcast","description":"Broadcast a message through the home","parameters":{"type":"object","properties":{"message":{"type":"string"}},"required":["message"],"additionalProperties":false}}},{"type":"function","function":{"name":"homeassistant__GetLiveContext","description":"Provides real-time information about the CURRENT state, value, or mode of devices, sensors, entities, or areas. Use this tool for: 1. Answering questions about current conditions (e.g., ''Is the light on?''). 2. As the first step in conditional actions (e.g., ''If the weather is rainy, turn off sprinklers'' requires checking the weather first). You may filter for devices by name, domain, and area, including combining those filters. Prefer filtering by domain when searching for multiple devices of the same type.","parameters":{"type":"object","properties":{"name":{"type":"string","description":"Filter entities by name or alias (case-insensitive)."},"domain":{"anyOf":[{"type":"string"},{"type":"array","items":{"type":"string"}}],"description":"Filter entities by domain (e.g. ''light'', ''sensor''). Accepts a single domain or a list."},"area":{"type":"string","description":"Filter entities by area name or alias (case-insensitive)."}},"additionalProperties":false}}},{"type":"function","function":{"name":"intent__HassCancelAllTimers","description":"Cancels all timers","parameters":{"type":"object","properties":{"area":{"type":"string"}},"additionalProperties":false}}},{"type":"function","function":{"name":"intent__HassTurnOff","description":"Turns off/closes a device or entity. For locks, this performs an ''unlock'' action. Use for requests like ''turn off'', ''deactivate'', ''disable'', or ''unlock''.","parameters":{"type":"object","properties":{"name":{"type":"string"},"area":{"type":"string"},"floor":{"type":"string"},"domain":{"type":"array","items":{"type":"string"}},"device_class":{"type":"array","items":{"type":"string","enum":["identify","restart","update","awning","blind","curtain","damper","door","garage","gate","shade","shutter","window","tv","speaker","receiver","projector","outlet","switch","water","gas"]}}},"additionalProperties":false}}},{"type":"function","function":{"name":"intent__HassTurnOn","description":"Turns on/opens/presses a device or entity. For locks, this performs a ''lock'' action. Use for requests like ''turn on'', ''activate'', ''enable'', or ''lock''.","parameters":{"type":"object","properties":{"name":{"type":"string"},"area":{"type":"string"},"floor":{"type":"string"},"domain":{"type":"array","items":{"type":"string"}},"device_class":{"type":"array","items":{"type":"string","enum":["identify","restart","update","awning","blind","curtain","damper","door","garage","gate","shade","shutter","window","tv","speaker","receiver","projector","outlet","switch","water","gas"]}}},"additionalProperties":false}}},{"type":"function","function":{"name":"light__HassLightSet","description":"Sets the brightness percentage or color of a light","parameters":{"type":"object","properties":{"name":{"type":"string"},"area":{"type":"string"},"floor":{"type":"string"},"domain":{"type":"array","items":{"type":"string","enum":["light"]}},"color":{"type":"string"},"temperature":{"type":"integer","minimum":0},"brightness":{"type":"integer","minimum":0,"maximum":100,"description":"The brightness percentage of the light between 0 and 100, where 0 is off and 100 is fully lit"}},"additionalProperties":false}}},{"type":"function","function":{"name":"llm__GetDateTime","description":"Provides the current date and time.","parameters":{"type":"object","properties":{},"additionalProperties":false}}}],"messages":[{"role":"system","content":"You are a voice assistant for Home Assistant.\nAnswer questions about the world truthfully.\nRespond simply and to the point in plain text.\nYou ARE equipped to answer questions about the current state of\nthe home by retrieving live context. This is a primary function. Do not state you lack the\nfunctionality if the question requires live data.\nIf the user asks about device existence/type (e.g., \"Do I have lights in the bedroom?\"): Answer\nfrom the static context below.\nIf the user asks about the CURRENT state, value, or mode (e.g., \"Is the lock locked?\",\n\"Is the fan on?\", \"What mode is the thermostat in?\", \"What is the temperature outside?\"):\n    1.  Recognize this requires live data.\n    2.  You MUST use the provided tool to retrieve live context. This tool will provide the needed real-time information (like temperature from the local weather, lock status, etc.).\n    3.  Use the tool''s response** to answer the user accurately (e.g., \"The temperature outside is [value from tool].\").\nFor general knowledge questions not about the home: Answer truthfully from internal knowledge.\n\nStatic Context: An overview of the areas and the devices in this smart home:\n- names: Bedroom humidity\n  domain: sensor\n  areas: Bedroom\n- names: Bedroom light\n  domain: light\n  areas: Bedroom\n- names: Coffee machine\n  domain: switch\n  areas: Kitchen\n- names: House AI Answer requests\n  domain: switch\n- names: Kitchen light\n  domain: light\n  areas: Kitchen\n- names: Living room lamp\n  domain: light\n  areas: Living Room\n- names: Living room temperature\n  domain: sensor\n  areas: Living Room\n\nWhen controlling Home Assistant always call the intent tools. Use intent__HassTurnOn to lock and intent__HassTurnOff to unlock a lock. When controlling a device, prefer passing just name and domain. When controlling an area, prefer passing just area name and domain.\nWhen a user asks to turn on all devices of a specific type, ask the user to specify an area, unless there is only one device of that type.\nThis device is not able to start timers."},{"role":"user","content":"Tell me something"}],"stream_options":{"include_usage":true}}','Hello from the office.');
INSERT INTO "bodies" VALUES(16,'gen_6a6a9d2c383535a9d55257411c9023c9',1.7959664605301055908e+09,'n:aab7a4339b688bc45456ddbe7642583d',NULL,'c7476accb8084f0f9a1ded69367fe972','{"model":"house","stream":true,"tools":[{"type":"function","function":{"name":"assist_satellite__HassBroadcast","description":"Broadcast a message through the home","parameters":{"type":"object","properties":{"message":{"type":"string"}},"required":["message"],"additionalProperties":false}}},{"type":"function","function":{"name":"homeassistant__GetLiveContext","description":"Provides real-time information about the CURRENT state, value, or mode of devices, sensors, entities, or areas. Use this tool for: 1. Answering questions about current conditions (e.g., ''Is the light on?''). 2. As the first step in conditional actions (e.g., ''If the weather is rainy, turn off sprinklers'' requires checking the weather first). You may filter for devices by name, domain, and area, including combining those filters. Prefer filtering by domain when searching for multiple devices of the same type.","parameters":{"type":"object","properties":{"name":{"type":"string","description":"Filter entities by name or alias (case-insensitive)."},"domain":{"anyOf":[{"type":"string"},{"type":"array","items":{"type":"string"}}],"description":"Filter entities by domain (e.g. ''light'', ''sensor''). Accepts a single domain or a list."},"area":{"type":"string","description":"Filter entities by area name or alias (case-insensitive)."}},"additionalProperties":false}}},{"type":"function","function":{"name":"intent__HassCancelAllTimers","description":"Cancels all timers","parameters":{"type":"object","properties":{"area":{"type":"string"}},"additionalProperties":false}}},{"type":"function","function":{"name":"intent__HassTurnOff","description":"Turns off/closes a device or entity. For locks, this performs an ''unlock'' action. Use for requests like ''turn off'', ''deactivate'', ''disable'', or ''unlock''.","parameters":{"type":"object","properties":{"name":{"type":"string"},"area":{"type":"string"},"floor":{"type":"string"},"domain":{"type":"array","items":{"type":"string"}},"device_class":{"type":"array","items":{"type":"string","enum":["identify","restart","update","awning","blind","curtain","damper","door","garage","gate","shade","shutter","window","tv","speaker","receiver","projector","outlet","switch","water","gas"]}}},"additionalProperties":false}}},{"type":"function","function":{"name":"intent__HassTurnOn","description":"Turns on/opens/presses a device or entity. For locks, this performs a ''lock'' action. Use for requests like ''turn on'', ''activate'', ''enable'', or ''lock''.","parameters":{"type":"object","properties":{"name":{"type":"string"},"area":{"type":"string"},"floor":{"type":"string"},"domain":{"type":"array","items":{"type":"string"}},"device_class":{"type":"array","items":{"type":"string","enum":["identify","restart","update","awning","blind","curtain","damper","door","garage","gate","shade","shutter","window","tv","speaker","receiver","projector","outlet","switch","water","gas"]}}},"additionalProperties":false}}},{"type":"function","function":{"name":"light__HassLightSet","description":"Sets the brightness percentage or color of a light","parameters":{"type":"object","properties":{"name":{"type":"string"},"area":{"type":"string"},"floor":{"type":"string"},"domain":{"type":"array","items":{"type":"string","enum":["light"]}},"color":{"type":"string"},"temperature":{"type":"integer","minimum":0},"brightness":{"type":"integer","minimum":0,"maximum":100,"description":"The brightness percentage of the light between 0 and 100, where 0 is off and 100 is fully lit"}},"additionalProperties":false}}},{"type":"function","function":{"name":"llm__GetDateTime","description":"Provides the current date and time.","parameters":{"type":"object","properties":{},"additionalProperties":false}}}],"messages":[{"role":"system","content":"You are a voice assistant for Home Assistant.\nAnswer questions about the world truthfully.\nRespond simply and to the point in plain text.\nYou ARE equipped to answer questions about the current state of\nthe home by retrieving live context. This is a primary function. Do not state you lack the\nfunctionality if the question requires live data.\nIf the user asks about device existence/type (e.g., \"Do I have lights in the bedroom?\"): Answer\nfrom the static context below.\nIf the user asks about the CURRENT state, value, or mode (e.g., \"Is the lock locked?\",\n\"Is the fan on?\", \"What mode is the thermostat in?\", \"What is the temperature outside?\"):\n    1.  Recognize this requires live data.\n    2.  You MUST use the provided tool to retrieve live context. This tool will provide the needed real-time information (like temperature from the local weather, lock status, etc.).\n    3.  Use the tool''s response** to answer the user accurately (e.g., \"The temperature outside is [value from tool].\").\nFor general knowledge questions not about the home: Answer truthfully from internal knowledge.\n\nStatic Context: An overview of the areas and the devices in this smart home:\n- names: Bedroom humidity\n  domain: sensor\n  areas: Bedroom\n- names: Bedroom light\n  domain: light\n  areas: Bedroom\n- names: Coffee machine\n  domain: switch\n  areas: Kitchen\n- names: House AI Answer requests\n  domain: switch\n- names: Kitchen light\n  domain: light\n  areas: Kitchen\n- names: Living room lamp\n  domain: light\n  areas: Living Room\n- names: Living room temperature\n  domain: sensor\n  areas: Living Room\n\nWhen controlling Home Assistant always call the intent tools. Use intent__HassTurnOn to lock and intent__HassTurnOff to unlock a lock. When controlling a device, prefer passing just name and domain. When controlling an area, prefer passing just area name and domain.\nWhen a user asks to turn on all devices of a specific type, ask the user to specify an area, unless there is only one device of that type.\nThis device is not able to start timers."},{"role":"user","content":"Tell me something"}],"stream_options":{"include_usage":true}}','Hello there, this is the house.');
INSERT INTO "bodies" VALUES(17,'gen_bee482526f9d65be92a8b0650db89c25',1.79596646054300260542e+09,NULL,NULL,'c7476accb8084f0f9a1ded69367fe972','{"model":"auto","messages":[{"role":"user","content":"Hi"}],"stream":false}','{"object": "chat.completion", "choices": [{"index": 0, "message": {"role": "assistant", "content": "Hello from the attic."}, "finish_reason": "stop"}], "usage": {"prompt_tokens": 12, "completion_tokens": 3, "total_tokens": 15}}');
INSERT INTO "bodies" VALUES(18,'gen_3a15a809656e89305bd275d617a72103',1.79596646054721260075e+09,'n:7072f2bb9e8883454fac1ca273e23126',NULL,NULL,'{"model":"office-model","stream":true,"messages":[{"role":"system","content":"You are a Home Assistant expert and help users with their tasks.\nCurrent time is 15:34:20. Today''s date is 2026-11-29."},{"role":"user","content":"Say something"}],"stream_options":{"include_usage":true}}','Hello from the office.');
CREATE TABLE buckets (
	name TEXT NOT NULL, 
	level DOUBLE NOT NULL, 
	at DOUBLE NOT NULL, 
	CONSTRAINT pk_buckets PRIMARY KEY (name)
);
CREATE TABLE budgets (
	id TEXT NOT NULL, 
	scope TEXT NOT NULL, 
	subject TEXT NOT NULL, 
	amount BIGINT NOT NULL, 
	period TEXT NOT NULL, 
	action TEXT NOT NULL, 
	thresholds JSON NOT NULL, 
	CONSTRAINT pk_budgets PRIMARY KEY (id)
);
INSERT INTO "budgets" VALUES('key:b2049dd49cce4babbf84da23bdcecf40:month','key','b2049dd49cce4babbf84da23bdcecf40',1000000000,'month','refuse','[80, 100]');
INSERT INTO "budgets" VALUES('household:month','household','',5000000000,'month','free_only','[50, 80, 100]');
CREATE TABLE conversations (
	id TEXT NOT NULL, 
	created DOUBLE NOT NULL, 
	last_used DOUBLE NOT NULL, 
	source TEXT NOT NULL, 
	username TEXT, 
	display_name TEXT, 
	key_id TEXT, 
	user_id TEXT, 
	CONSTRAINT pk_conversations PRIMARY KEY (id)
);
INSERT INTO "conversations" VALUES('c:037219d793f1bb55f0ce2832930fed6b',1.79596644786451959613e+09,1.79596646051484012604e+09,'http',NULL,'First key','0523fa24211941989cc4001f12f744f6',NULL);
INSERT INTO "conversations" VALUES('c:fbc1beb71a6c8946eef9cf9f198c0278',1.79596644785756111143e+09,1.79596646051115488998e+09,'http',NULL,'Laptop','b2049dd49cce4babbf84da23bdcecf40','c7476accb8084f0f9a1ded69367fe972');
INSERT INTO "conversations" VALUES('n:95b13d83905de010508c1a053240f695',1795966447.91569,1795966447.91569,'ai_task',NULL,'ai_task.custom_127_0_0_1_ai_task',NULL,NULL);
INSERT INTO "conversations" VALUES('n:9982938acef6cddc82fcbf6ef7de4a0b',1.79596644790012168889e+09,1.79596644790012168889e+09,'assist','Developer','conversation.custom_127_0_0_1_agent',NULL,'c7476accb8084f0f9a1ded69367fe972');
INSERT INTO "conversations" VALUES('n:dbc2adde89fca651e3a73044ee56e418',1.7959664479061181545e+09,1.7959664479061181545e+09,'assist','Developer','conversation.house_agent',NULL,'c7476accb8084f0f9a1ded69367fe972');
INSERT INTO "conversations" VALUES('n:2c4633dd3eea8cca1390ae6a77694d2e',1.79596646052447652818e+09,1.79596646052447652818e+09,'assist','Developer','conversation.custom_127_0_0_1_agent',NULL,'c7476accb8084f0f9a1ded69367fe972');
INSERT INTO "conversations" VALUES('n:7072f2bb9e8883454fac1ca273e23126',1.79596646054721260075e+09,1.79596646054721260075e+09,'ai_task',NULL,'ai_task.custom_127_0_0_1_ai_task',NULL,NULL);
INSERT INTO "conversations" VALUES('n:aab7a4339b688bc45456ddbe7642583d',1.7959664605301055908e+09,1.7959664605301055908e+09,'assist','Developer','conversation.house_agent',NULL,'c7476accb8084f0f9a1ded69367fe972');
CREATE TABLE counters (
	name VARCHAR(64) NOT NULL, 
	value BIGINT NOT NULL, 
	CONSTRAINT pk_counters PRIMARY KEY (name)
);
INSERT INTO "counters" VALUES('keys',4);
INSERT INTO "counters" VALUES('budgets',4);
CREATE TABLE generations (
	row_id INTEGER NOT NULL, 
	id TEXT NOT NULL, 
	created DOUBLE NOT NULL, 
	source TEXT NOT NULL, 
	kind TEXT NOT NULL, 
	requested_model TEXT NOT NULL, 
	outcome TEXT NOT NULL, 
	model TEXT, 
	backend_id TEXT, 
	backend_name TEXT, 
	attempts INTEGER NOT NULL, 
	stream BOOLEAN NOT NULL, 
	prompt_tokens BIGINT NOT NULL, 
	completion_tokens BIGINT NOT NULL, 
	cached_tokens BIGINT NOT NULL, 
	reasoning_tokens BIGINT NOT NULL, 
	cache_write_tokens BIGINT NOT NULL, 
	cache_write_1h_tokens BIGINT NOT NULL, 
	upstream_cost BIGINT, 
	estimated BOOLEAN NOT NULL, 
	cost BIGINT, 
	duration DOUBLE NOT NULL, 
	first_token DOUBLE, 
	finish_reason TEXT, 
	error_code TEXT, 
	caller TEXT NOT NULL, 
	key_id TEXT, 
	user_id TEXT, 
	address TEXT, cost_source TEXT, currency VARCHAR(8) DEFAULT 'USD' NOT NULL, 
	CONSTRAINT pk_generations PRIMARY KEY (row_id)
);
INSERT INTO "generations" VALUES(1,'req_6ee2dd735854b50c8bb7f50056e57555',1.79596644720635032648e+09,'http','chat/completions','gpt-4.1','ok','gpt-4.1','01M8KZ2A7ZBWFZBA6VPTH6YEYF','Cloud',1,0,21,8,3,2,0,0,NULL,0,103000,2.15751529999579361174e-02,2.13641399999460190883e-02,'stop',NULL,'Old tablet','fbc3e4693db64be7ac3f51b92f3a5203','c7476accb8084f0f9a1ded69367fe972','192.0.2.10','owner','USD');
INSERT INTO "generations" VALUES(2,'req_dc90f11ebf1160cb30ff7ee9dde6b907',1.79596644784614968299e+09,'http','chat/completions','gpt-4.1','ok','gpt-4.1','01M8KZ2A7ZBWFZBA6VPTH6YEYF','Cloud',1,0,21,8,3,2,0,0,NULL,0,103000,2.69964200003869336796e-03,2.56044499997187813278e-03,'stop',NULL,'First key','0523fa24211941989cc4001f12f744f6',NULL,'192.0.2.10','owner','USD');
INSERT INTO "generations" VALUES(3,'req_c44e0569111ff01029ff387dc711a0ac',1.79596644785086822504e+09,'http','chat/completions','clever','ok','clever','01M8KZ2A7ZBWFZBA6VPTH6YEYF','Cloud',1,1,21,8,3,2,0,0,NULL,0,103000,4.61997899992638849653e-03,1.45318399995630898047e-03,'stop',NULL,'Laptop','b2049dd49cce4babbf84da23bdcecf40','c7476accb8084f0f9a1ded69367fe972','192.0.2.10','owner','USD');
INSERT INTO "generations" VALUES(4,'req_e89b9f642c8da45ef9b69a858ab3ca7f',1.79596644785756111143e+09,'http','chat/completions','phi4:latest','ok','phi4:latest','01M8KZ2ABB69V9EZ3QCASXRZ09','Basement',1,0,21,8,0,0,0,0,NULL,0,18500,1.43044999992980592651e-03,1.31845399994290346512e-03,'stop',NULL,'Laptop','b2049dd49cce4babbf84da23bdcecf40','c7476accb8084f0f9a1ded69367fe972','192.0.2.10','owner','USD');
INSERT INTO "generations" VALUES(5,'req_1599d149df6edfd6fd4a9a56dbbd7045',1.79596644786451959613e+09,'http','chat/completions','office-model','ok','office-model','01M8KZ29VBEHKQ32E45N3MC8XS','custom (127.0.0.1)',1,0,12,3,4,0,0,0,200000,0,200000,1.29641199998786760261e-03,1.17953899996336986077e-03,'stop',NULL,'First key','0523fa24211941989cc4001f12f744f6',NULL,'192.0.2.10','upstream','USD');
INSERT INTO "generations" VALUES(6,'gen_5c77140dcf31b8192ce58db586e84fef',1.79596644790012168889e+09,'assist','chat/completions','office-model','ok','office-model','01M8KZ29VBEHKQ32E45N3MC8XS','custom (127.0.0.1)',1,1,12,3,4,0,0,0,200000,0,200000,1.98886800001218944089e-03,1.73122600006081484025e-03,'stop',NULL,'conversation.custom_127_0_0_1_agent',NULL,'c7476accb8084f0f9a1ded69367fe972',NULL,'upstream','USD');
INSERT INTO "generations" VALUES(7,'gen_32b153d6c9ccc431456ec586e12c5348',1.7959664479061181545e+09,'assist','chat/completions','house','ok','gpt-4.1','01M8KZ2A7ZBWFZBA6VPTH6YEYF','Cloud',1,1,21,8,3,2,0,0,NULL,0,103000,3.49540199999864853452e-03,3.22029399990242382045e-03,'stop',NULL,'conversation.house_agent',NULL,'c7476accb8084f0f9a1ded69367fe972',NULL,'owner','USD');
INSERT INTO "generations" VALUES(8,'gen_8f5a917ef49062f178b3c73ddb403e9c',1.79596644791035246844e+09,'action','chat/completions','auto','ok','reporting-model','01M8KZ29YTFWZGDXZHTDFRWFA9','custom (127.0.0.2)',1,0,12,3,0,0,0,0,NULL,0,0,1.89072299997405934846e-03,1.78546699999060365371e-03,'stop',NULL,'zeroconf_ai.chat',NULL,'c7476accb8084f0f9a1ded69367fe972',NULL,'free','USD');
INSERT INTO "generations" VALUES(9,'gen_36e2bc6e2b60a05e7969fef2f656e06c',1795966447.91569,'ai_task','chat/completions','office-model','ok','office-model','01M8KZ29VBEHKQ32E45N3MC8XS','custom (127.0.0.1)',1,1,12,3,4,0,0,0,200000,0,200000,1.34221999996952945366e-03,1.18881299999884504359e-03,'stop',NULL,'ai_task.custom_127_0_0_1_ai_task',NULL,NULL,NULL,'upstream','USD');
INSERT INTO "generations" VALUES(10,'req_cb18b7a6f707cc5fd2d8337c9088ebd7',1.79596645113729500766e+09,'http','chat/completions','house','ok','qwen3:8b','01M8KZ2ABB69V9EZ3QCASXRZ09','Basement',2,0,21,8,0,0,0,0,NULL,0,18500,1.01477528499992786237e+00,1.01459339500001988199e+00,'stop',NULL,'First key','0523fa24211941989cc4001f12f744f6',NULL,'192.0.2.10','owner','USD');
INSERT INTO "generations" VALUES(11,'gen_1e1e192549bb1e8c9cf8818873309e76',1.79596645317357254023e+09,'assist','chat/completions','office-model','error',NULL,NULL,NULL,0,1,0,0,0,0,0,0,NULL,0,NULL,1.01568429199994625378e+00,NULL,NULL,'provider_error','conversation.custom_127_0_0_1_agent',NULL,'c7476accb8084f0f9a1ded69367fe972',NULL,NULL,'USD');
INSERT INTO "generations" VALUES(12,'req_993a66d872dfa9e8953aed4c07e61b5b',1.7959664541963582039e+09,'http','chat/completions','homeassistant/assist','ok','homeassistant/assist','01M8KZ2A03AP5HAQ6HK8QPE7QJ','Assist',1,0,6,14,0,0,0,0,NULL,0,0,2.6944399600006363471e-01,2.69281945999978233885e-01,'stop',NULL,'Laptop','b2049dd49cce4babbf84da23bdcecf40','c7476accb8084f0f9a1ded69367fe972','192.0.2.10','free','USD');
INSERT INTO "generations" VALUES(13,'req_9636e162732fa406fe071d1500bef46e',1.79596646049656248093e+09,'http','chat/completions','gpt-4.1','ok','gpt-4.1','01M8KZ2A7ZBWFZBA6VPTH6YEYF','Cloud',1,0,21,8,3,2,0,0,NULL,0,103000,1.69231899997157597681e-03,1.5537629999471391784e-03,'stop',NULL,'First key','0523fa24211941989cc4001f12f744f6',NULL,'192.0.2.10','owner','USD');
INSERT INTO "generations" VALUES(14,'req_09e1501ad8825e764be1839642e08cd0',1.79596646050037097933e+09,'http','chat/completions','clever','ok','clever','01M8KZ2A7ZBWFZBA6VPTH6YEYF','Cloud',1,1,21,8,3,2,0,0,NULL,0,103000,4.78726599999390600714e-03,3.48412499999994906829e-03,'stop',NULL,'Laptop','b2049dd49cce4babbf84da23bdcecf40','c7476accb8084f0f9a1ded69367fe972','192.0.2.10','owner','USD');
INSERT INTO "generations" VALUES(15,'req_b9b26d62dc0dd43410622938113d3cc6',1.79596646051115488998e+09,'http','chat/completions','phi4:latest','ok','phi4:latest','01M8KZ2ABB69V9EZ3QCASXRZ09','Basement',1,0,21,8,0,0,0,0,NULL,0,18500,0.0014630189999707,1.33952599992426257813e-03,'stop',NULL,'Laptop','b2049dd49cce4babbf84da23bdcecf40','c7476accb8084f0f9a1ded69367fe972','192.0.2.10','owner','USD');
INSERT INTO "generations" VALUES(16,'req_1abb855431e2a79c9237d6e5ec46e766',1.79596646051484012604e+09,'http','chat/completions','office-model','ok','office-model','01M8KZ29VBEHKQ32E45N3MC8XS','custom (127.0.0.1)',1,0,12,3,4,0,0,0,200000,0,200000,1.42413099990790215088e-03,1.31444900000587949762e-03,'stop',NULL,'First key','0523fa24211941989cc4001f12f744f6',NULL,'192.0.2.10','upstream','USD');
INSERT INTO "generations" VALUES(17,'gen_a28663cf291dd4847ba2fe51d5b652fb',1.79596646052447652818e+09,'assist','chat/completions','office-model','ok','office-model','01M8KZ29VBEHKQ32E45N3MC8XS','custom (127.0.0.1)',1,1,12,3,4,0,0,0,200000,0,200000,1.97378600000774895306e-03,1.75195700001040677307e-03,'stop',NULL,'conversation.custom_127_0_0_1_agent',NULL,'c7476accb8084f0f9a1ded69367fe972',NULL,'upstream','USD');
INSERT INTO "generations" VALUES(18,'gen_6a6a9d2c383535a9d55257411c9023c9',1.7959664605301055908e+09,'assist','chat/completions','house','ok','gpt-4.1','01M8KZ2A7ZBWFZBA6VPTH6YEYF','Cloud',1,1,21,8,3,2,0,0,NULL,0,103000,6.43328199998904892709e-03,6.03662399998938781209e-03,'stop',NULL,'conversation.house_agent',NULL,'c7476accb8084f0f9a1ded69367fe972',NULL,'owner','USD');
INSERT INTO "generations" VALUES(19,'gen_bee482526f9d65be92a8b0650db89c25',1.79596646054300260542e+09,'action','chat/completions','auto','ok','reporting-model','01M8KZ29YTFWZGDXZHTDFRWFA9','custom (127.0.0.2)',1,0,12,3,0,0,0,0,NULL,0,0,2.92249200003880105214e-03,2.779791000079967489e-03,'stop',NULL,'zeroconf_ai.chat',NULL,'c7476accb8084f0f9a1ded69367fe972',NULL,'free','USD');
INSERT INTO "generations" VALUES(20,'gen_3a15a809656e89305bd275d617a72103',1.79596646054721260075e+09,'ai_task','chat/completions','office-model','ok','office-model','01M8KZ29VBEHKQ32E45N3MC8XS','custom (127.0.0.1)',1,1,12,3,4,0,0,0,200000,0,200000,1.30258100000446574995e-03,1.1661190000040733139e-03,'stop',NULL,'ai_task.custom_127_0_0_1_ai_task',NULL,NULL,NULL,'upstream','USD');
INSERT INTO "generations" VALUES(21,'req_30695805b61dd158a6882db756277ed7',1.79596646060013985634e+09,'http','chat/completions','gpt-4.1','error',NULL,NULL,NULL,0,0,0,0,0,0,0,0,NULL,0,NULL,3.61966000014035671483e-04,NULL,NULL,'budget_exceeded','First key','0523fa24211941989cc4001f12f744f6',NULL,'192.0.2.10',NULL,'USD');
CREATE TABLE key_months (
	month DATE NOT NULL, 
	key_id TEXT NOT NULL, 
	currency TEXT NOT NULL, 
	user_id TEXT NOT NULL, 
	key_name TEXT, 
	requests BIGINT NOT NULL, 
	errors BIGINT NOT NULL, 
	cancelled BIGINT NOT NULL, 
	estimated BIGINT NOT NULL, 
	priced BIGINT NOT NULL, 
	prompt_tokens BIGINT NOT NULL, 
	completion_tokens BIGINT NOT NULL, 
	cached_tokens BIGINT NOT NULL, 
	reasoning_tokens BIGINT NOT NULL, 
	cache_write_tokens BIGINT NOT NULL, 
	cache_write_1h_tokens BIGINT NOT NULL, 
	cost BIGINT NOT NULL, 
	first_tokens BIGINT NOT NULL, 
	duration DOUBLE NOT NULL, 
	first_token DOUBLE NOT NULL, 
	CONSTRAINT pk_key_months PRIMARY KEY (month, key_id, currency, user_id)
)
 WITHOUT ROWID

;
INSERT INTO "key_months" VALUES('2026-11-01','','USD','',NULL,2,0,0,0,2,24,6,8,0,0,0,400000,2,2.64480099997399520361e-03,2.35493200000291835749e-03);
INSERT INTO "key_months" VALUES('2026-11-01','','USD','c7476accb8084f0f9a1ded69367fe972',NULL,7,1,0,0,6,90,28,14,4,0,0,606000,6,1.03438884499996675003e+00,1.73053590000336043885e-02);
INSERT INTO "key_months" VALUES('2026-11-01','0523fa24211941989cc4001f12f744f6','USD','','First key',6,1,0,0,5,87,30,14,4,0,0,624500,5,1.02224975499984793714e+00,1.02120159099990814866e+00);
INSERT INTO "key_months" VALUES('2026-11-01','b2049dd49cce4babbf84da23bdcecf40','USD','c7476accb8084f0f9a1ded69367fe972','Laptop',5,0,0,0,5,90,46,6,4,0,0,243000,5,2.81744709999884435092e-01,2.76877234999801657977e-01);
INSERT INTO "key_months" VALUES('2026-11-01','fbc3e4693db64be7ac3f51b92f3a5203','USD','c7476accb8084f0f9a1ded69367fe972','Old tablet',1,0,0,0,1,21,8,3,2,0,0,103000,1,2.15751529999579361174e-02,2.13641399999460190883e-02);
CREATE TABLE key_rollups (
	day DATE NOT NULL, 
	source TEXT NOT NULL, 
	model TEXT NOT NULL, 
	backend_id TEXT NOT NULL, 
	key_id TEXT NOT NULL, 
	user_id TEXT NOT NULL, 
	currency TEXT NOT NULL, 
	backend_name TEXT, 
	key_name TEXT, 
	requests BIGINT NOT NULL, 
	errors BIGINT NOT NULL, 
	cancelled BIGINT NOT NULL, 
	estimated BIGINT NOT NULL, 
	priced BIGINT NOT NULL, 
	prompt_tokens BIGINT NOT NULL, 
	completion_tokens BIGINT NOT NULL, 
	cached_tokens BIGINT NOT NULL, 
	reasoning_tokens BIGINT NOT NULL, 
	cache_write_tokens BIGINT NOT NULL, 
	cache_write_1h_tokens BIGINT NOT NULL, 
	cost BIGINT NOT NULL, 
	first_tokens BIGINT NOT NULL, 
	duration DOUBLE NOT NULL, 
	first_token DOUBLE NOT NULL, 
	CONSTRAINT pk_key_rollups PRIMARY KEY (day, source, model, backend_id, key_id, user_id, currency)
);
INSERT INTO "key_rollups" VALUES('2026-11-29','http','gpt-4.1','01M8KZ2A7ZBWFZBA6VPTH6YEYF','fbc3e4693db64be7ac3f51b92f3a5203','c7476accb8084f0f9a1ded69367fe972','USD','Cloud','Old tablet',1,0,0,0,1,21,8,3,2,0,0,103000,1,2.15751529999579361174e-02,2.13641399999460190883e-02);
INSERT INTO "key_rollups" VALUES('2026-11-29','action','reporting-model','01M8KZ29YTFWZGDXZHTDFRWFA9','','c7476accb8084f0f9a1ded69367fe972','USD','custom (127.0.0.2)',NULL,2,0,0,0,2,24,6,0,0,0,0,0,2,0.00481321500001286,4.56525800007057114271e-03);
INSERT INTO "key_rollups" VALUES('2026-11-29','ai_task','office-model','01M8KZ29VBEHKQ32E45N3MC8XS','','','USD','custom (127.0.0.1)',NULL,2,0,0,0,2,24,6,8,0,0,0,400000,2,2.64480099997399520361e-03,2.35493200000291835749e-03);
INSERT INTO "key_rollups" VALUES('2026-11-29','assist','gpt-4.1','01M8KZ2A7ZBWFZBA6VPTH6YEYF','','c7476accb8084f0f9a1ded69367fe972','USD','Cloud',NULL,2,0,0,0,2,42,16,6,4,0,0,206000,2,9.92868399998769746161e-03,9.25691799989181163255e-03);
INSERT INTO "key_rollups" VALUES('2026-11-29','assist','office-model','01M8KZ29VBEHKQ32E45N3MC8XS','','c7476accb8084f0f9a1ded69367fe972','USD','custom (127.0.0.1)',NULL,2,0,0,0,2,24,6,8,0,0,0,400000,2,3.96265400001993839396e-03,3.48318300007122161332e-03);
INSERT INTO "key_rollups" VALUES('2026-11-29','http','clever','01M8KZ2A7ZBWFZBA6VPTH6YEYF','b2049dd49cce4babbf84da23bdcecf40','c7476accb8084f0f9a1ded69367fe972','USD','Cloud','Laptop',2,0,0,0,2,42,16,6,4,0,0,206000,2,9.40724499992029450368e-03,4.93730899995625804876e-03);
INSERT INTO "key_rollups" VALUES('2026-11-29','http','gpt-4.1','01M8KZ2A7ZBWFZBA6VPTH6YEYF','0523fa24211941989cc4001f12f744f6','','USD','Cloud','First key',2,0,0,0,2,42,16,6,4,0,0,206000,2,4.39196100001026934478e-03,4.11420799991901731118e-03);
INSERT INTO "key_rollups" VALUES('2026-11-29','http','office-model','01M8KZ29VBEHKQ32E45N3MC8XS','0523fa24211941989cc4001f12f744f6','','USD','custom (127.0.0.1)','First key',2,0,0,0,2,24,6,8,0,0,0,400000,2,2.72054299989576975349e-03,2.4939879999692493584e-03);
INSERT INTO "key_rollups" VALUES('2026-11-29','http','phi4:latest','01M8KZ2ABB69V9EZ3QCASXRZ09','b2049dd49cce4babbf84da23bdcecf40','c7476accb8084f0f9a1ded69367fe972','USD','Basement','Laptop',2,0,0,0,2,42,16,0,0,0,0,37000,2,2.89346899990050587803e-03,2.65797999986716604325e-03);
INSERT INTO "key_rollups" VALUES('2026-11-29','http','qwen3:8b','01M8KZ2ABB69V9EZ3QCASXRZ09','0523fa24211941989cc4001f12f744f6','','USD','Basement','First key',1,0,0,0,1,21,8,0,0,0,0,18500,1,1.01477528499992786237e+00,1.01459339500001988199e+00);
INSERT INTO "key_rollups" VALUES('2026-11-29','assist','','','','c7476accb8084f0f9a1ded69367fe972','USD',NULL,NULL,1,1,0,0,0,0,0,0,0,0,0,0,0,1.01568429199994625378e+00,0.0);
INSERT INTO "key_rollups" VALUES('2026-11-29','http','homeassistant/assist','01M8KZ2A03AP5HAQ6HK8QPE7QJ','b2049dd49cce4babbf84da23bdcecf40','c7476accb8084f0f9a1ded69367fe972','USD','Assist','Laptop',1,0,0,0,1,6,14,0,0,0,0,0,1,2.6944399600006363471e-01,2.69281945999978233885e-01);
INSERT INTO "key_rollups" VALUES('2026-11-29','http','','','0523fa24211941989cc4001f12f744f6','','USD',NULL,'First key',1,1,0,0,0,0,0,0,0,0,0,0,0,3.61966000014035671483e-04,0.0);
CREATE TABLE keys (
	id VARCHAR(32) NOT NULL, 
	name TEXT NOT NULL, 
	prefix TEXT NOT NULL, 
	digest BLOB NOT NULL, 
	former_digest BLOB, 
	former_until DOUBLE, 
	user_id TEXT, 
	device TEXT, 
	models JSON NOT NULL, 
	endpoints JSON NOT NULL, 
	background BOOLEAN DEFAULT 0 NOT NULL, 
	enabled BOOLEAN DEFAULT 1 NOT NULL, 
	created DOUBLE NOT NULL, 
	expires DOUBLE, 
	last_used DOUBLE, requests_per_minute BIGINT, tokens_per_minute BIGINT, parallel BIGINT, 
	CONSTRAINT pk_keys PRIMARY KEY (id), 
	CONSTRAINT uq_keys_digest UNIQUE (digest)
);
INSERT INTO "keys" VALUES('0523fa24211941989cc4001f12f744f6','First key','zai_NrMo',X'A6D2D0A0B9A486C2AECAB2243606A50762828AE3E629BDF8C00A2862FA204F3B',NULL,NULL,NULL,NULL,'[]','[]',0,1,1.79596644576432132723e+09,NULL,1.79596646059998869891e+09,NULL,NULL,NULL);
INSERT INTO "keys" VALUES('b2049dd49cce4babbf84da23bdcecf40','Laptop','zai_Lt6Z',X'9F126AFE8521AADF3400047119195B16B98303FD7EDEF00E70423487F4029F73',NULL,NULL,'c7476accb8084f0f9a1ded69367fe972',NULL,'[]','[]',0,1,1.79596644690382432939e+09,NULL,1.79596646051103472712e+09,600,500000,4);
INSERT INTO "keys" VALUES('fbc3e4693db64be7ac3f51b92f3a5203','Old tablet','zai_jjX3',X'98BF6B9FCDE7E22D6F7DE24818123B9150EC8E5FF46028E64C83254756C23CD6',NULL,NULL,'c7476accb8084f0f9a1ded69367fe972',NULL,'[]','[]',0,0,1.79596644709380340578e+09,NULL,1.79596644720618772508e+09,NULL,NULL,NULL);
CREATE TABLE reservations (
	id VARCHAR(32) NOT NULL, 
	budget_id TEXT NOT NULL, 
	label VARCHAR(10) NOT NULL, 
	amount BIGINT NOT NULL, 
	expires DOUBLE NOT NULL, 
	CONSTRAINT pk_reservations PRIMARY KEY (id, budget_id)
);
CREATE TABLE rollups (
	day DATE NOT NULL, 
	source TEXT NOT NULL, 
	model TEXT NOT NULL, 
	backend_id TEXT NOT NULL, 
	currency TEXT NOT NULL, 
	backend_name TEXT, 
	requests BIGINT NOT NULL, 
	errors BIGINT NOT NULL, 
	cancelled BIGINT NOT NULL, 
	estimated BIGINT NOT NULL, 
	priced BIGINT NOT NULL, 
	prompt_tokens BIGINT NOT NULL, 
	completion_tokens BIGINT NOT NULL, 
	cached_tokens BIGINT NOT NULL, 
	reasoning_tokens BIGINT NOT NULL, 
	cache_write_tokens BIGINT NOT NULL, 
	cache_write_1h_tokens BIGINT NOT NULL, 
	cost BIGINT NOT NULL, 
	first_tokens BIGINT NOT NULL, 
	duration DOUBLE NOT NULL, 
	first_token DOUBLE NOT NULL, 
	CONSTRAINT pk_rollups PRIMARY KEY (day, source, model, backend_id, currency)
);
INSERT INTO "rollups" VALUES('2026-11-29','http','gpt-4.1','01M8KZ2A7ZBWFZBA6VPTH6YEYF','USD','Cloud',3,0,0,0,3,63,24,9,6,0,0,309000,3,2.59671139999682054622e-02,2.54783479998650363995e-02);
INSERT INTO "rollups" VALUES('2026-11-29','action','reporting-model','01M8KZ29YTFWZGDXZHTDFRWFA9','USD','custom (127.0.0.2)',2,0,0,0,2,24,6,0,0,0,0,0,2,0.00481321500001286,4.56525800007057114271e-03);
INSERT INTO "rollups" VALUES('2026-11-29','ai_task','office-model','01M8KZ29VBEHKQ32E45N3MC8XS','USD','custom (127.0.0.1)',2,0,0,0,2,24,6,8,0,0,0,400000,2,2.64480099997399520361e-03,2.35493200000291835749e-03);
INSERT INTO "rollups" VALUES('2026-11-29','assist','gpt-4.1','01M8KZ2A7ZBWFZBA6VPTH6YEYF','USD','Cloud',2,0,0,0,2,42,16,6,4,0,0,206000,2,9.92868399998769746161e-03,9.25691799989181163255e-03);
INSERT INTO "rollups" VALUES('2026-11-29','assist','office-model','01M8KZ29VBEHKQ32E45N3MC8XS','USD','custom (127.0.0.1)',2,0,0,0,2,24,6,8,0,0,0,400000,2,3.96265400001993839396e-03,3.48318300007122161332e-03);
INSERT INTO "rollups" VALUES('2026-11-29','http','clever','01M8KZ2A7ZBWFZBA6VPTH6YEYF','USD','Cloud',2,0,0,0,2,42,16,6,4,0,0,206000,2,9.40724499992029450368e-03,4.93730899995625804876e-03);
INSERT INTO "rollups" VALUES('2026-11-29','http','office-model','01M8KZ29VBEHKQ32E45N3MC8XS','USD','custom (127.0.0.1)',2,0,0,0,2,24,6,8,0,0,0,400000,2,2.72054299989576975349e-03,2.4939879999692493584e-03);
INSERT INTO "rollups" VALUES('2026-11-29','http','phi4:latest','01M8KZ2ABB69V9EZ3QCASXRZ09','USD','Basement',2,0,0,0,2,42,16,0,0,0,0,37000,2,2.89346899990050587803e-03,2.65797999986716604325e-03);
INSERT INTO "rollups" VALUES('2026-11-29','http','qwen3:8b','01M8KZ2ABB69V9EZ3QCASXRZ09','USD','Basement',1,0,0,0,1,21,8,0,0,0,0,18500,1,1.01477528499992786237e+00,1.01459339500001988199e+00);
INSERT INTO "rollups" VALUES('2026-11-29','assist','','','USD',NULL,1,1,0,0,0,0,0,0,0,0,0,0,0,1.01568429199994625378e+00,0.0);
INSERT INTO "rollups" VALUES('2026-11-29','http','homeassistant/assist','01M8KZ2A03AP5HAQ6HK8QPE7QJ','USD','Assist',1,0,0,0,1,6,14,0,0,0,0,0,1,2.6944399600006363471e-01,2.69281945999978233885e-01);
INSERT INTO "rollups" VALUES('2026-11-29','http','','','USD',NULL,1,1,0,0,0,0,0,0,0,0,0,0,0,3.61966000014035671483e-04,0.0);
CREATE TABLE sessions (
	"key" TEXT NOT NULL, 
	backend_id TEXT NOT NULL, 
	model TEXT NOT NULL, 
	last_used DOUBLE NOT NULL, 
	CONSTRAINT pk_sessions PRIMARY KEY ("key")
);
CREATE INDEX ix_generations_id ON generations (id);
CREATE INDEX ix_generations_created ON generations (created);
CREATE INDEX ix_generations_key_id_created ON generations (key_id, created);
CREATE INDEX ix_sessions_last_used ON sessions (last_used);
CREATE INDEX ix_generations_user_id_created ON generations (user_id, created);
CREATE INDEX ix_key_rollups_key_id_day ON key_rollups (key_id, day);
CREATE INDEX ix_key_rollups_user_id_day ON key_rollups (user_id, day);
CREATE INDEX ix_bodies_generation_id ON bodies (generation_id);
CREATE INDEX ix_conversations_last_used ON conversations (last_used);
CREATE INDEX ix_conversations_key_id ON conversations (key_id);
CREATE INDEX ix_conversations_user_id ON conversations (user_id);
CREATE INDEX ix_bodies_created ON bodies (created);
CREATE INDEX ix_bodies_key_id ON bodies (key_id);
CREATE INDEX ix_bodies_user_id ON bodies (user_id);
CREATE INDEX ix_audit_at ON audit (at);
CREATE INDEX ix_reservations_expires ON reservations (expires);
CREATE INDEX ix_buckets_at ON buckets (at);
CREATE INDEX ix_key_months_key_id_month ON key_months (key_id, month);
CREATE INDEX ix_key_months_user_id_month ON key_months (user_id, month);
COMMIT;
