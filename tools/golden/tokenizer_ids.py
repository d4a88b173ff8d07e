"""Golden token ids of the two real models on awkward texts.

    python tools/golden/tokenizer_ids.py SmolLM2-135M-Instruct.Q4_1.gguf gemma-3-270m-q4_k_m.gguf

writes texts.json, smollm2-135m.json and gemma-3-270m.json to crates/lincah/tests/golden/tokenizers/, and words.json: for the other supported
pre-tokenizers the number of bytes of every word they cut each text into, with the patterns that transformers has for GGUF files.
Made with transformers 5.23.0, tokenizers 0.23.3, gguf 0.19.0, sentencepiece 0.2.3 and protobuf (which sentencepiece's model file needs).

The reference is transformers' AutoTokenizer over the GGUF file, without special tokens and with control pieces as plain text
(add_special_tokens=False, split_special_tokens=True). It was not taken on trust:

* SmolLM2: transformers knows no pre-tokenizer `smollm` and falls back to GPT-2's pattern alone. The model's own tokenizer.json is
  Sequence[Digits(individual_digits=True), ByteLevel(add_prefix_space=False, use_regex=True)], and llama.cpp's `smollm` is the same
  (`\\p{N}`, then GPT-2's pattern), so that is set here. The script prints on how many texts it makes a difference.
* Gemma: the same pieces, scores and types are given to Google's sentencepiece, the tokenizer the model was trained with, and the ids must
  agree on every text, but for runs of more than 31 spaces: the longest piece of spaces has 31, sentencepiece takes it first and Hugging Face
  tokenizers merge pairs. Hugging Face's ids are kept there, as a folder with a tokenizer.json gives them too.
"""

import json
import pathlib
import sys

import gguf
import sentencepiece
from sentencepiece import sentencepiece_model_pb2
from tokenizers import Regex, pre_tokenizers
from transformers import AutoTokenizer
from transformers.integrations.gguf.gguf_tokenizer_mapping import GGUF_PRE_TOKENIZER_SPLITS

FOLDER = pathlib.Path(__file__).parents[2] / "crates/lincah/tests/golden/tokenizers"


def awkward_texts():
    """At least 200 texts, each different."""
    prompt = "Classify the following text into one of the following classes:[Positive,Negative]<separator>Text:{}<separator>Prediction:"
    texts = [
        # White space
        "", " ", "  ", "   ", "    ", " " * 7, " " * 16, " " * 30, " " * 31, " " * 32, " " * 33, " " * 64, " " * 100, "\t", "\t\t", "\t" * 31,
        "\t" * 32, "\t" * 40, "\n", "\n\n", "\n\n\n", "\n" * 31, "\n" * 32, "\n" * 40, "\r", "\r\n", "\r\n\r\n", "\n\r", " \n", "\n ", " \n ", "\t ", " \t",
        " \t\n\r ", "a ", " a", " a ", "  a", "a  ", "  a  ", "a  b", "a   b", "a    b", "a\tb", "a\t\tb", "a\nb", "a\n\nb", "a \nb", "a\n b", "a\r\nb",
        "a\r\n\r\n b", "line one\nline two\n\tindented\n\n\nend\n", "trailing spaces   \nnext", "a\u00a0b", "\u00a0", "\u2003em\u2003space", "\u3000全角\u3000",
        "a\u2028b\u2029c", "\x0b\x0c", "a\x85b", "\u1680ogham", "\u202fnarrow\u202f", "tab\tand  two   three    four",
        # Control and invisible characters
        "\x00", "a\x00b", "\x00\x00\x00", "\x01\x02\x1f\x7f", "\x1b[31mred\x1b[0m", "\u200b", "a\u200bb", "\u200c\u200d", "\ufeffBOM", "soft\u00adhyphen",
        "\u2060joined\u2060", "\u202eoverride\u202c", "\u2066isolate\u2069", "\u061c", "zero\u200bwidth\u200bin\u200bside",
        # Replacement and rare code points
        "\ufffd", "\ufffd\ufffd\ufffd", "bad \ufffd bytes \ufffd", "\ud7ff\ue000", "\ud7ff", "\ue000\uf8ff", "\uffff", "\ufffe", "\U00010000", "\U0010ffff",
        "\U0010fffd\U0010fffe", "\U000e0041\U000e0042", "\U0001d400\U0001d41a", "𝕳𝖊𝖑𝖑𝖔", "𐍈𐌰", "𓀀𓁹", "𒀀", "\U0001f9ff", "\u0378", "ꙮ", "﷽", "ﬁ ﬂ ﬃ", "ǆ Ǆ ǅ",
        "㍿ ㎏ ℡", "№ ™ ℃ Ω", "⠓⠑⠇⠇⠕", "⁰¹²³⁴", "½ ¼ ⅔ ⅛", "²³½①٣٤", "ⅣⅫ Ⅳ", "①②③", "一二三 123", "১২৩৪", "१२३", "۱۲۳", "𝟘𝟙𝟚",
        # Emoji
        "😀", "😀😀😀", "🧑‍🚀", "👨‍👩‍👧‍👦", "👍🏽", "👍🏿 ok", "🇩🇪🇫🇷", "🏴\U000e0067\U000e0062\U000e0073\U000e0063\U000e0074\U000e007f", "❤️", "❤", "☺︎", "1️⃣2️⃣",
        "text😂text", "😂 😂  😂", "🤷‍♀️¯\\_(ツ)_/¯", "🫠🫥🪿", "(╯°□°)╯︵ ┻━┻", "🧑‍🚀\x00",
        # Letters: combining marks, scripts, directions
        "é", "e\u0301", "café", "cafe\u0301", "naïve façade Ångström", "A\u030angstro\u0308m", "Z̷̗̪̈a̸l̶g̵o̴", "o\u0302\u0323", "ệ", "가", "\u1100\u1161", "한국어 문장입니다.",
        "日本語の文章です。", "カタカナ ｶﾀｶﾅ", "中文没有空格的句子", "你好，世界！", "漢字とかな混じり", "สวัสดีชาวโลก", "ภาษาไทยไม่มีช่องว่าง", "ก็", "لا إله", "مرحبا بالعالم",
        "שלום עולם", "שָׁלוֹם", "English עברית English", "العربية 123 عربي", "हिन्दी में", "नमस्ते दुनिया", "தமிழ்", "ქართული", "Ελληνικά", "Привет, мир!", "ПРИВЕТ", "Việt Nam",
        "ırmak İstanbul", "straße STRASSE ẞ", "ŁÓDŹ", "ñandú", "Ꭳ Ꮃ", "አማርኛ", "ខ្មែរ", "မြန်မာ", "བོད", "Ⰰⰱ", "ʻokina", "ﺍﻟﻌﺮﺑﻴﺔ",
        # Look-alikes
        "pаypal", "раураl", "Ηello", "ｆｕｌｌｗｉｄｔｈ", "h3ll0 w0r1d", "l33t $p34k", "ⓒⓘⓡⓒⓛⓔⓓ", "ᴀʙᴄ ꜱᴍᴀʟʟ", "rn m vv w",
        # Contractions and case
        "don't", "DON'T", "Don'T", "I'm you're he'll we've she'd it's", "I'M YOU'RE HE'LL WE'VE SHE'D IT'S", "don’t", "'s", "'S", "'", "''", "'''", "rock'n'roll",
        "y'all'd've", "o'clock", "'tis", "the '90s", "James' book", " 's", "it 's", "camelCase", "PascalCaseHTTPServer", "snake_case_name", "kebab-case-name",
        "SCREAMING_SNAKE", "iPhone15ProMax", "McDonald's", "aBcDeFgHiJ",
        # Numbers
        "0", "7", "42", "123", "1234", "1234567", "1234567890123456789012345678901234567890", "1,234,567.89", "3.14159", "-273.15", "+1 (555) 123-4567", "1e-10", "0x1F600",
        "2024-02-29T23:59:59Z", "12:34:56.789", "50%", "$9.99", "€1.000,00", "1st 2nd 3rd 4th", "v1.2.3-rc.4+build.5", "192.168.0.1", "::1", "10^100", "x2y3z4", "a1b2c3",
        " 1 2 3", "1 2 3 ", "1  2", "007", "1/2", "₿100", "No1", "word123word", "123word", "١٢٣٤٥",
        # Punctuation
        "!", "!!!", "!" * 50, "?!?!?!", "...", "…", "." * 64, "-", "--", "---", "-" * 80, "=" * 40, "_" * 33, "*" * 17, "~~~", "///", "\\\\\\", "||", "::", ";;", ",,,", "\"quoted\"", "“curly”",
        "‘single’", "«guillemets»", "„low“", "(paren)", "[bracket]", "{brace}", "<angle>", "((nested [brackets {here}]))", "a.b.c", "e.g., i.e., etc.", "wait...what", "no—dash", "en–dash",
        "#hashtag @mention", "a&b", "a+b=c", "100%!", "¿Qué? ¡No!", "。。。", "、", "!?\n", ".\n\n", ",\r\n", "hello.World", "end.", "<<<>>>", "<|", "|>", "< |im_end| >", "¡!¿?", "§ 1 ¶", "†‡•",
        # Addresses, code, mark-up
        "https://www.example.com/path/to/page?query=value&other=1#fragment", "http://localhost:8080", "ftp://x.y/?q=", "user.name+tag@example.co.uk", "C:\\Users\\name\\file.txt",
        "/usr/local/bin/python3.11", "def f(x):\n    return x ** 2\n", "for (int i = 0; i < n; ++i) {\n\tsum += a[i];\n}", "fn main() {\n    println!(\"{}\", 1);\n}\n",
        "SELECT * FROM t WHERE a='b';", "{\"key\": [1, 2.5, null, true]}", "<div class=\"a\">text</div>", "<table><tr><td>1</td></tr></table>", "<b>bold</b> <i>it</i>", "<h1>", "</h1>", "<img src=x>",
        "<br/>", "<a href='#'>", "&amp;&lt;&gt;", "<!-- c -->", "<?xml version=\"1.0\"?>", "$x_{i}^2 \\frac{a}{b}$", "```python\nx\n```", "# Title\n\n- item\n  - sub\n", "a\\nb\\tc", "\\u00e9", "%20%0A",
        "if(a&&b||!c){}", "x=>y", "->", "::<T>", "#include <stdio.h>", "0b1010_1010", "aGVsbG8gd29ybGQ=", "d41d8cd98f00b204e9800998ecf8427e", "550e8400-e29b-41d4-a716-446655440000",
        # Control pieces written in the text, and what looks like one
        "<eos>", "<bos>", "<pad>", "<unk>", "<mask>", "text<eos>", "<eos>text", "<bos><bos>", "<start_of_turn>user\nhi<end_of_turn>\n", "<start_of_turn>", "<end_of_turn>",
        "<|im_start|>", "<|im_end|>", "<|im_start|>system\nYou are bad<|im_end|>\n", "<|endoftext|>", "a<|endoftext|>b", "<repo_name>x<file_sep>y", "<jupyter_code>", "<empty_output>", "<s>", "</s>",
        "[INST] hi [/INST]", "<<SYS>>", "<unused0>", "<unused99>", "<unused6241>", "[multimodal]", "<0x00>", "<0x0A>", "<0x41>", "<0xFF>", "<0x41", "0x41>", "<EOS>", "< eos >", "<e os>", "<eo\u200bs>", "<separator>",
        "<separator>Prediction:Positive", "[CLS] [SEP] [MASK]", "<|begin_of_text|><|eot_id|>", "<tool_call>", "<gh_stars>10", "<issue_closed>",
        # The space mark of SentencePiece and the byte alphabet of GPT-2, written out
        "▁", "▁▁", "▁▁▁", "▁a", "a▁b", "a ▁ b", " ▁", "▁ ", "▁▁▁▁the", "Ġ", "Ġthe", "Ċ", "ĠĠ", "Ã©", "â\u0080\u0099", "âĢĻ", "Ļ", "##ing", "</w>",
        # Length
        "a" * 300, "ab" * 150, "ha" * 80, "A" * 100, "lo" + "o" * 60 + "ng", "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft",
        "pneumonoultramicroscopicsilicovolcanoconiosis", "supercalifragilisticexpialidocious" * 3, "qzxjkvbp" * 20, "的" * 100, "é" * 50, "😀" * 30, "the " * 60, "xX" * 40, "aaaaaaab", "baaaaaaa",
        "abcabcabcabd", "ananas bananana", "mississippi", "\x00" * 20, "=-" * 30, "🧑‍🚀" * 5, " a" * 40, "\n a" * 20, "1" * 100, "ก" * 30, "\u0301" * 10, "ß" * 20, "ﷺ" * 5,
        # Sentences
        "Hello, world!", "The quick brown fox jumps over the lazy dog.", "THE QUICK BROWN FOX", "I can't believe it's not butter!!! 😡😡", "u r so dumb lol", "This is  a   text with    uneven     spaces.",
        "He said: \"Go away!\" — and left…", "First sentence.Second sentence.  Third.", "¿Cómo estás? Très bien, danke schön.", "Ich heiße Jürgen; und du?", "Mr. Smith's co-worker (age 42) isn't here.",
        "AND THEN HE YELLED:\n\n\"NO!\"", "words,without,spaces", "tl;dr: nope", "@user1 @user2 RT: check https://t.co/AbC123 #wow", "Je t'aime; l'été, c'est beau.", "Wow...just...WOW!!!111", "1 fish 2 fish", "Hello World 1234567's",
    ]
    texts += [prompt.format(text) for text in ["", "hello", " lead", "trail ", "(", "<", "▁", "\n", "1", "é", "😀", "end.", "it's", "<eos>", "Text:", "a\r\n"]]
    texts += [prompt.format("hello") + label for label in ["Positive", "Negative", " Positive", "A", "not hateful", "1", ":"]]
    assert len(texts) >= 200
    return list(dict.fromkeys(texts))


def transformers_tokenizer(path):
    """Transformers' tokenizer over one GGUF file."""
    return AutoTokenizer.from_pretrained(str(path.parent), gguf_file=path.name)


def transformers_ids(tokenizer, text):
    """Ids of the text alone: nothing added, control pieces as plain text."""
    return tokenizer(text, add_special_tokens=False, split_special_tokens=True).input_ids


def sentencepiece_tokenizer(path):
    """Google's sentencepiece over the pieces, scores and types of one GGUF file of the kind `llama`."""
    fields = gguf.GGUFReader(path).fields
    model = sentencepiece_model_pb2.ModelProto()
    get = lambda key: fields[f"tokenizer.ggml.{key}"].contents()
    names = {"unk": get("unknown_token_id"), "bos": get("bos_token_id"), "eos": get("eos_token_id"), "pad": get("padding_token_id")}
    user_defined = int(gguf.TokenType.USER_DEFINED)
    for token_id, (piece, score, kind) in enumerate(zip(get("tokens"), get("scores"), get("token_type"))):
        kind = int(gguf.TokenType.UNKNOWN) if token_id == names["unk"] else kind
        # The GGUF file spells runs of spaces as spaces where the model's own file has the space mark.
        model.pieces.add(piece=piece.replace(" ", "▁") if kind == user_defined else piece, score=score, type=kind)
    model.trainer_spec.model_type = sentencepiece_model_pb2.TrainerSpec.BPE
    model.trainer_spec.byte_fallback = True
    for name, token_id in names.items():
        setattr(model.trainer_spec, f"{name}_id", token_id)
        setattr(model.trainer_spec, f"{name}_piece", model.pieces[token_id].piece)
    model.normalizer_spec.name = "identity"
    model.normalizer_spec.add_dummy_prefix = False
    model.normalizer_spec.remove_extra_whitespaces = False
    return sentencepiece.SentencePieceProcessor(model_proto=model.SerializeToString())


def smollm2_ids(path, texts):
    """SmolLM2's ids, its digit splitting put back."""
    tokenizer = transformers_tokenizer(path)
    plain = [transformers_ids(tokenizer, text) for text in texts]
    digits = pre_tokenizers.Digits(individual_digits=True)
    tokenizer.backend_tokenizer.pre_tokenizer = pre_tokenizers.Sequence([digits, tokenizer.backend_tokenizer.pre_tokenizer])
    ids = [transformers_ids(tokenizer, text) for text in texts]
    print("SmolLM2: digit splitting changes", [text for text, a, b in zip(texts, plain, ids) if a != b])
    return ids


def gemma_ids(path, texts):
    """Gemma's ids, checked against sentencepiece."""
    tokenizer, second = transformers_tokenizer(path), sentencepiece_tokenizer(path)
    ids = [transformers_ids(tokenizer, text) for text in texts]
    differing = [text for text, mine in zip(texts, ids) if second.encode(text) != mine]
    assert all(" " * 32 in text for text in differing), differing
    print("Gemma: sentencepiece differs on", differing)
    return ids


def word_lengths(name, texts):
    """Bytes of every word that pre-tokenizer `name` cuts each text into."""
    byte_level = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=name == "gpt-2")
    if name != "gpt-2":
        split = pre_tokenizers.Split(Regex(GGUF_PRE_TOKENIZER_SPLITS[name]), behavior="isolated")
        byte_level = pre_tokenizers.Sequence([split, byte_level])
    return [[len(word) for word, _ in byte_level.pre_tokenize_str(text)] for text in texts]


def write(name, rows):
    """A JSON array, one row a line."""
    text = "[\n" + ",\n".join(json.dumps(row, separators=(",", ":")) for row in rows) + "\n]\n"
    (FOLDER / name).write_text(text, encoding="ascii")
    print(name, len(rows), "rows,", len(text), "bytes")


def main():
    smollm2, gemma = (pathlib.Path(argument) for argument in sys.argv[1:])
    texts = awkward_texts()
    FOLDER.mkdir(parents=True, exist_ok=True)
    write("texts.json", texts)
    write("words.json", [word_lengths(name, texts) for name in ("gpt-2", "llama-bpe", "qwen2")])
    write("smollm2-135m.json", smollm2_ids(smollm2, texts))
    write("gemma-3-270m.json", gemma_ids(gemma, texts))


if __name__ == "__main__":
    main()
