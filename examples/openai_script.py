"""A plain OpenAI script that remembers what it was told before: all that has changed is its base_url.

In another terminal: mnemos serve --upstream https://api.openai.com/v1
"""

import os
import sys

from openai import OpenAI

client = OpenAI(base_url=os.environ.get("MNEMOS_URL", "http://127.0.0.1:8765/v1"))
question = " ".join(sys.argv[1:]) or "What can I cook for my sister Rita?"
asked = [{"role": "user", "content": question}]
answer = client.chat.completions.create(model="gpt-5-mini", messages=asked, user="ana")
print(answer.choices[0].message.content)
