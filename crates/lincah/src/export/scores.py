

def prompts(text):
    """The ids of each question around the text, which loses its end where it is too long."""
    if ask["white_space"] == "single":
        text = re.sub(r"[^\S\x1c-\x1f]+", lambda gap: "\n" if set(gap[0]) & set("\n\r\u2028\u2029") else " ", text).strip(" \n")
    while True:
        ids = [ask["begin"] + tokens(ask["head"] + text + tail) for tail in ask["tails"]]
        if ask["truncation"] == "prompt":
            return [question[: ask["max_tokens"]] for question in ids]
        over = max(map(len, ids)) - ask["max_tokens"]
        if over <= 0:
            return ids
        text = text[: -max(1, over // 4)]


def softmax(logits):
    most = max(logits)
    weights = [math.exp(logit - most) for logit in logits]
    return [weight / sum(weights) for weight in weights]


def mapped(calibration, probability, other):
    """A calibrated probability of a label against the rest."""
    odds = math.log(max(probability, sys.float_info.min)) - math.log(max(other, sys.float_info.min))
    method = calibration["method"]
    if method == "isotonic":
        x, y = calibration["from"], calibration["to"]
        place = bisect.bisect_left(x, probability)
        if place in (0, len(x)):
            return y[min(place, len(x) - 1)]
        share = (probability - x[place - 1]) / (x[place] - x[place - 1])
        return y[place - 1] + share * (y[place] - y[place - 1])
    if method == "temperature":
        odds /= calibration["temperature"]
    elif method == "platt":
        odds = calibration["slope"] * odds + calibration["intercept"]
    else:
        return probability
    return 1 / (1 + math.exp(-odds)) if odds > -700 else 0.0


def calibrated(found):
    maps = ask["calibration"]
    if all(each["method"] == "none" for each in maps):
        return found
    if ask["exclusive"] and len(maps) == 1:
        if maps[0]["method"] == "temperature":
            return softmax([math.log(max(p, sys.float_info.min)) / maps[0]["temperature"] for p in found])
        last = mapped(maps[0], found[1], found[0])
        return [1 - last, last]
    each = [mapped(calibration, p, 1 - p) for calibration, p in zip(maps, found)]
    return [p / sum(each) for p in each] if ask["exclusive"] else each


def scores(text):
    """The probability of each label."""
    asked = [logits(ids) for ids in prompts(text)]
    if ask["exclusive"]:
        found = softmax(asked[0])
    elif ask["rows"]:
        found = [softmax([0, logit])[1] for logit in asked[0]]
    else:
        found = [softmax(no_and_yes)[1] for no_and_yes in asked]
    return dict(zip(ask["labels"], calibrated(found)))


if __name__ == "__main__":
    for text in sys.argv[1:]:
        print(json.dumps({"text": text, "scores": scores(text)}, ensure_ascii=False))
