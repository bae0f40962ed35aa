"""A small probabilistic grammar of plain English that generates and parses sentences.

Subjects and verbs agree in number, verbs and times in tense, determiners and nouns in number, `a` and `an`
with the next word; verbs select their subjects and objects. There are negations and questions, with `do` or
`be`, relative clauses, two orders of the objects of `give`, and pairs of noun phrases. Number, tense,
negation and question are independent of each other.

    sample(3, seed=0)             sentences
    is_grammatical(text)          whether the grammar derives the text
    log_probability(text)         the natural logarithm of its exact probability
    attributes(text)              plural, past, negated, question, adjective, length
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache, lru_cache
from itertools import pairwise
from math import inf, log
from random import Random

from simulacra.data.text.pcfg import Body, Grammar
from simulacra.errors import DataError

# From sentences to noun phrases. The features of the clause are the attributes of the sentence.
# Variables: n, m numbers; v the number of a verb's subject, or bare after `do`; t tense; c classes of
# subjects; k classes of objects, o without persons, h with colours, g of gifts; s places.
CLAUSES = """
    n = singular | plural
    m = singular | plural
    v = singular | plural | bare
    t = present | past
    c = 7 person | 2 animal | thing
    k = 3 person | 2 animal | 2 mount | 3 food | 3 text | 4 thing
    o = animal | mount | food | text | thing
    h = animal | mount | thing
    g = food | text | 2 thing
    s = town | room | venue | landmark

    Sentence -> 39 Clause[n,t,affirmative,statement] | 26 Clause[n,t,negated,statement]
              | 21 Clause[n,t,affirmative,question]  | 14 Clause[n,t,negated,question]
    Clause[n,t,affirmative,statement] -> 5 Subject[n,t,c] Action[n,t,c] .
                                       | Subject[n,t,c] Be[n,t] State[t,c] .
    Clause[n,t,negated,statement]     -> 5 Subject[n,t,c] Do[n,t] not Action[bare,t,c] .
                                       | Subject[n,t,c] Be[n,t] not State[t,c] .
    Clause[n,t,affirmative,question]  -> 5 Do[n,t] Subject[n,t,c] Action[bare,t,c] ?
                                       | Be[n,t] Subject[n,t,c] State[t,c] ?
    Clause[n,t,negated,question]      -> 5 Do[n,t] Subject[n,t,c] not Action[bare,t,c] ?
                                       | Be[n,t] Subject[n,t,c] not State[t,c] ?

    Action[v,t,person] -> 7 Verb[v,t,k] Object[t,k] | 7 Verb[v,t,k] Simple[m,k] Adjunct[t]
        | 2 Often Verb[v,t,k] Bare[k]
        | 3 Verb[v,t,act] Adjunct[t] | Verb[v,t,act] Manner | Often Verb[v,t,act]
        | 3 Verb[v,t,go] to Site[s] | 2 Verb[v,t,go] to Site[s] Time[t] | Verb[v,t,go] slowly to Site[s]
        | 3 Verb[v,t,give] Receiver Simple[m,g] | 2 Verb[v,t,give] Receiver Simple[m,g] Time[t]
        | 3 Verb[v,t,give] Simple[m,g] to Receiver
    Action[v,t,animal] -> 3 Verb[v,t,roam] Adjunct[t] | Verb[v,t,roam] Manner | Often Verb[v,t,roam]
        | 2 Verb[v,t,notice] Object[t,person] | 2 Verb[v,t,notice] Object[t,animal]
        | 2 Verb[v,t,graze] Object[t,food] | 2 Verb[v,t,graze] Simple[m,food] Adjunct[t]
    Action[v,t,thing] -> Verb[v,t,happen] again | Verb[v,t,happen] Time[t]
        | 2 Verb[v,t,stand] in Site[room] | 2 Verb[v,t,belong] to Receiver | Verb[v,t,belong] to Name
    State[t,c]      -> 4 Adjective[c] | 2 very Adjective[c] | 3 Mood[c] Moment[t]
    State[t,person] -> 4 Place
    State[t,animal] -> 4 Place
    State[t,thing]  -> 4 in Site[room]

    Subject[n,t,c]             -> 8 NP[n,t,c]
    Subject[n,t,animal]        -> 4 NP[n,t,mount]
    Subject[singular,t,person] -> 2 Name | he | she
    Subject[plural,t,person]   -> 2 Pair[person] | they | we
    Subject[singular,t,animal] -> it
    Subject[singular,t,thing]  -> it
    Subject[plural,t,animal]   -> they | 2 Pair[animal]
    Subject[plural,t,thing]    -> they | Pair[thing]
    Object[t,k]                -> 12 NP[m,t,k] | 3 Bare[k]
    Object[t,o]                -> it | them
    Object[t,person]           -> him | her | them | 2 Family
    Object[t,animal]           -> 2 Pair[animal]
    Object[t,thing]            -> 2 Pair[thing]
    Receiver                   -> 4 Short[m,person] | him | her | them
    Agent[n]                   -> 2 Short[n,person]
    Agent[singular]            -> Name | he | she
    Agent[plural]              -> they | we
    Pair[person]               -> Woman and Man | Name and Short[n,person] | Family
    Pair[animal]               -> Short[n,animal] and Short[m,mount]
    Pair[thing]                -> Short[n,thing] and Short[m,text]
    Family                     -> Determiner[n] Noun[n,person] and Possessive Noun[m,kin]

    NP[n,t,k]       -> 8 Simple[n,k]
    NP[n,t,person]  -> Head[n,person] who Verb[n,t,k] Short[m,k] | Head[n,person] from Site[town]
    NP[n,t,o]       -> 2 Head[n,o] that Agent[m] Verb[m,t,o]
    Simple[n,k]     -> 10 Short[n,k] | 4 Determiner[n] Adjective[k] Noun[n,k]
                     | Possessive Adjective[k] Owned[n,k]
    Simple[n,h]     -> Determiner[n] Colour[h] Noun[n,h] | Determiner[n] Adjective[h] Colour[h] Noun[n,h]
    Short[n,k]      -> 4 Determiner[n] Noun[n,k] | Possessive Owned[n,k]
    Owned[n,o]      -> Noun[n,o]
    Owned[n,person] -> Noun[n,kin]
    Bare[k]         -> 2 Noun[plural,k] | Adjective[k] Noun[plural,k]
    Head[n,k]       -> 2 the Noun[n,k]
    Head[singular,k] -> a Noun[singular,k]
    Head[plural,k]  -> two Noun[plural,k]
    Site[s]         -> 5 Article Noun[s] | 2 Article Adjective[place] Noun[s]
    Adjunct[t]      -> 3 Place | 4 Time[t] | at night | in the morning
    Place           -> in Site[town] | 2 in Site[room] | 2 at Site[venue] | 2 near Site[landmark]
    Name            -> Woman | Man
"""

OTHER_WORDS = """
    Be[singular,present] -> is
    Be[plural,present]   -> are
    Be[singular,past]    -> was
    Be[plural,past]      -> were
    Do[singular,present] -> does
    Do[plural,present]   -> do
    Do[n,past]           -> did
    Determiner[singular] -> 6 the | 5 a | this | that | another
    Determiner[plural]   -> 6 the | these | those | 2 two | 2 three | 2 many
    Possessive           -> my | our | his | her | their
    Article              -> 5 the | a | this | our
    Time[present]        -> 2 every day | every week | every morning
    Time[past]           -> 2 yesterday | last week | last night
    Moment[present]      -> now | today
    Moment[past]         -> yesterday | last night
    Often                -> often | always | usually
    Manner               -> alone | again | quietly
    Noun[town]           -> village | city
    Noun[room]           -> garden | kitchen
    Noun[venue]          -> market | school | station
    Noun[landmark]       -> river | house | bridge | lake
    Woman                -> Anna | Emma
    Man                  -> Ben | Tom
"""

# These words are adjectives only: a sentence with one of them has an adjective.
ADJECTIVES = """
    Adjective[person] -> old | young | tall | kind | honest
    Adjective[animal] -> old | young | big | small | hungry
    Adjective[mount]  -> old | young | big | small | hungry
    Adjective[food]   -> fresh | sweet | big | small
    Adjective[text]   -> long | short | old | new | useful
    Adjective[thing]  -> old | new | heavy | empty | useful
    Adjective[place]  -> old | new | big | small | quiet
    Mood[person]      -> tired | hungry | happy | busy
    Mood[animal]      -> tired | hungry | happy
    Mood[thing]       -> dirty | clean | empty
    Colour[h]         -> white | black | brown
    Colour[thing]     -> red
"""

# man/men: the plural is irregular
NOUNS = {
    "person": "farmer teacher boy girl artist man/men woman/women child/children",
    "kin": "sister brother friend",
    "animal": "dog cat duck mouse/mice",
    "mount": "horse donkey elephant",
    "food": "apple egg cake potato",
    "text": "book letter story",
    "thing": "box lamp umbrella chair knife/knives",
}

# eat/ate: the past is irregular. No past equals another form: a verb shows its tense.
VERBS = {
    "person": "see/saw meet/met help",
    "animal": "feed/fed find/found buy/bought",
    "mount": "ride/rode feed/fed sell/sold",
    "food": "eat/ate buy/bought cook",
    "text": "write/wrote study finish",
    "thing": "buy/bought find/found lose/lost sell/sold",
    "give": "give/gave show send/sent",
    "act": "sleep/slept sing/sang work wait",
    "go": "walk run/ran go/went",
    "roam": "sleep/slept run/ran wait",
    "notice": "see/saw follow",
    "graze": "eat/ate find/found steal/stole",
    "happen": "fall/fell break/broke",
    "stand": "stand/stood lie/lay",
    "belong": "belong",
}

# a useful box, an honest man
UNLIKE_THEIR_LETTER = {"useful", "honest"}


@cache
def english() -> Grammar:
    """The grammar of the sentences; its start symbol is `Sentence`.

    >>> len([word for word in english().words if word.isalpha()])
    248
    """
    rules = [CLAUSES, OTHER_WORDS, ADJECTIVES]
    for kind, nouns in NOUNS.items():
        pairs = [noun.split("/") if "/" in noun else (noun, _with_s(noun)) for noun in nouns.split()]
        for number, words in zip(("singular", "plural"), zip(*pairs, strict=True), strict=True):
            rules.append(f"Noun[{number},{kind}] -> {' | '.join(words)}")
    for kind, verbs in VERBS.items():
        pairs = [verb.split("/") if "/" in verb else (verb, _with_ed(verb)) for verb in verbs.split()]
        present, past = map(" | ".join, zip(*pairs, strict=True))
        third = " | ".join(_with_s(plain) for plain, _ in pairs)
        rules += [
            f"Verb[singular,present,{kind}] -> {third}",
            f"Verb[plural,present,{kind}] -> {present}",
            f"Verb[singular,past,{kind}] -> {past}",
            f"Verb[plural,past,{kind}] -> {past}",
            f"Verb[bare,t,{kind}] -> {present}",
        ]
    return Grammar("\n".join(rules))


def sample(n: int, seed: int = 0) -> list[str]:
    """n sentences; sentence i depends on the seed and on i alone, not on n.

    >>> sample(2, seed=1)
    ['Anna was busy yesterday.', 'A teacher is in the city.']
    """
    random = Random(seed)
    return [_spell(english().sample(random, "Sentence")) for _ in range(n)]


def is_grammatical(text: str) -> bool:
    """Whether the grammar derives the text, letter by letter: any string, in bounded time.

    >>> is_grammatical("An honest farmer did not sell two red chairs yesterday.")
    True
    >>> is_grammatical("An honest farmer did not sell two red chair yesterday.")
    False
    """
    return bool(_parse(text))


def log_probability(text: str) -> float:
    """log p(text), nats, summed over all derivations; -inf of a text that is not grammatical.

    >>> round(log_probability("She was not tired yesterday."), 3)
    -10.912
    >>> log_probability("Yesterday was not tired.")
    -inf
    """
    p = sum(_parse(text).values())
    return log(p) if p else -inf


def attributes(text: str) -> dict[str, float]:
    """What is true of a grammatical sentence, 0 or 1, and its length in words.

    `plural` is the number of the subject, `past` the tense; `adjective` whether there is any.

    Raises:
        DataError: the text is not grammatical.

    >>> attributes("Did the tall women sleep last night?")
    {'plural': 1.0, 'past': 1.0, 'negated': 0.0, 'question': 1.0, 'adjective': 1.0, 'length': 7.0}
    """
    clauses = _parse(text)
    if not clauses:
        raise DataError(f"Not a sentence of the grammar: {text[:80]!r}")
    ((clause,),) = clauses
    features = clause[clause.index("[") + 1 : -1].split(",")
    words = text[:-1].split()
    return {
        **{name: float(name in features) for name in ("plural", "past", "negated", "question")},
        "adjective": float(any(word in _adjectives() for word in words)),
        "length": float(len(words)),
    }


def _with_s(word: str) -> str:
    # farmers, stories, boxes
    if re.search("[^aeiou]y$", word):
        return word[:-1] + "ies"
    return word + ("es" if re.search("(s|x|o|ch|sh)$", word) else "s")


def _with_ed(verb: str) -> str:
    # helped, studied
    return verb[:-1] + "ied" if re.search("[^aeiou]y$", verb) else verb + "ed"


@cache
def _adjectives() -> frozenset[str]:
    kinds = ("Adjective", "Mood", "Colour")
    symbols = english().rules.items()
    return frozenset(word for symbol, rules in symbols if symbol.startswith(kinds) for _, (word,) in rules)


@cache
def _longest() -> int:
    return english().length("Sentence")


def _parse(text: str) -> dict[Body, float]:
    # the probabilities of the derivations of the text, by their clause
    tokens = [*text[:-1].split(" ", _longest()), text[-1:]]
    words = english().words
    if tokens[0] not in words:
        tokens[0] = tokens[0][:1].lower() + tokens[0][1:]
    tokens = ["a" if token == "an" else token for token in tokens]
    if len(tokens) > _longest() or not words.issuperset(tokens) or _spell(tokens) != text:
        return {}
    return _derivations(tuple(tokens))


@lru_cache(maxsize=4096)
def _derivations(tokens: tuple[str, ...]) -> dict[Body, float]:
    return english().inside(tokens, "Sentence")


def _spell(tokens: Sequence[str]) -> str:
    # each text is spelled by one sequence of tokens only, so that their probabilities are equal
    words = [
        "an" if token == "a" and (after[0] in "aeiou") != (after in UNLIKE_THEIR_LETTER) else token
        for token, after in pairwise(tokens)
    ]
    text = " ".join(words)
    return text[:1].upper() + text[1:] + tokens[-1]
