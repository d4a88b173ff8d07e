"""Others' own clients, unmodified, against `lincah serve`: OpenAI's moderations, huggingface_hub's text classification, Google's library with the
discovery document of the server, and plain requests in the shapes of vLLM and text-embeddings-inference. Says what each got; fails if a score is not
`predict`'s.

Usage: python tools/clients/clients.py LINCAH CLASSIFIER     (needs openai, huggingface_hub, google-api-python-client)
"""

import sys
import tempfile
from importlib.metadata import version
from pathlib import Path

import openai
from googleapiclient import discovery
from huggingface_hub import InferenceClient
from serving import KEY, ask, predicted, serving

TEXT = "Thanks, that helped a lot."


def main() -> None:
    lincah, classifier = sys.argv[1:]
    scores = predicted(lincah, classifier, TEXT)
    with tempfile.TemporaryDirectory() as folder, serving(lincah, classifier, Path(folder)) as url:
        positive = list(scores)[-1]

        def same(client: str, found: float) -> None:
            assert abs(found - scores[positive]) < 1e-6, (client, found, scores)
            print(f"{client}: {found:.6f}, as predict")

        moderation = openai.OpenAI(base_url=f"{url}/v1", api_key=KEY).moderations.create(input=TEXT, model="omni-moderation-latest")
        same(f"openai {version('openai')}", moderation.results[0].category_scores.model_dump()[positive])

        labels = InferenceClient(model=f"{url}/models/classifier", token=KEY).text_classification(TEXT)
        same(f"huggingface_hub {version('huggingface_hub')}", next(label.score for label in labels if label.label == positive))

        service = discovery.build(
            "commentanalyzer", "v1alpha1", developerKey=KEY, discoveryServiceUrl=f"{url}/$discovery/rest?version=v1alpha1", static_discovery=False,
        )
        analyzed = service.comments().analyze(body={"comment": {"text": TEXT}, "requestedAttributes": {positive.upper(): {}}}).execute()
        google = f"google-api-python-client {version('google-api-python-client')}"
        same(google, analyzed["attributeScores"][positive.upper()]["summaryScore"]["value"])
        suggestion = {"comment": {"text": TEXT}, "attributeScores": {positive.upper(): {"summaryScore": {"value": 0}}}, "clientToken": "1"}
        assert service.comments().suggestscore(body=suggestion).execute()["clientToken"] == "1"

        same("vLLM's request", ask(f"{url}/classify", {"model": "classifier", "input": TEXT})["data"][0]["probs"][-1])
        inferred = ask(f"{url}/predict", {"inputs": TEXT})
        same("text-embeddings-inference's request", next(entry["score"] for entry in inferred if entry["label"] == positive))
    print("all clients got what predict says")


if __name__ == "__main__":
    main()
