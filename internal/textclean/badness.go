package textclean

import (
	"sync"
	"unicode"
)

// A class is a set of kinds of characters. Text that was UTF-8 but has been
// read in a single-byte encoding consists of few kinds, in sequences that
// people do not write.
type class uint64

const (
	common class = 1 << iota // in mojibake and out of it
	c1                       // control characters that nobody means
	bad                      // hardly ever meant
	law
	currency
	openers // punctuation that starts something
	closers // punctuation that ends something
	numeric
	kaomoji // letters that serve as faces
	upperAccented
	lowerAccented
	upperCommon // Greek and Cyrillic capitals
	lowerCommon // Greek and Cyrillic small letters
	box         // line drawing
	lineStart   // not a character, but the start of the text
	asciiLower
	asciiUpper
	blank    // U+0020
	white    // what Python calls a space
	word     // what Python calls a part of a word
	notLatin // anything but A-Z and a-z
	notBreak // anything but "\n"
	stop     // .,?!
	ligatureOE
	degree
	degreeMicro
	leadLatin // lead bytes of two, read as Windows-1252
	followLatin
	times
	squares
	leadArabic
	followArabic
	aGrave
	followIndic
	root // the E2 of MacRoman, and what follows it
	followRoot
	almostEqual
	degreeCent
	lowQuote
	aDiaeresis
	followADiaeresis
	leadAncient
	followAncient
	cyrVe
	cyrDje
	leadCyrillic
	cyrGhe
	cyrShortU
	cyrCapitalVe
	aTilde
	followATilde
	aTildeCircumflex
	aCircumflex
	beta
	euro
	followBetaEuro
	leadGreek
	aMacron
)

const (
	accented = lowerAccented | upperAccented
	oddities = accented | box | openers | closers | currency | numeric | law
	commonAt = c1 | bad | openers | closers | currency
)

// members lists the characters of the classes; "a-z" is a range.
var members = []struct {
	class class
	chars string
}{
	{common, "\u00a0\u00ad·´–—―…’"},
	{c1, "\u0080-\u009f"},
	{bad, "¤¦¨ª¬¯¸ºƒˆˇ˘˛˜†‡‰⌐◊\ufffd"},
	{law, "§¶"},
	{currency, "¢£¥₧€"},
	{openers, "¡©«¿΄΅‘‚“„•‹\uf8ff"},
	{closers, "®»˝”›™"},
	{numeric, "±²³µ¹¼½¾×÷⁄№∂∆∏∑√∞∩∫≈≠≡≤≥"},
	{kaomoji, "°Ò-ÖÙ-Üò-öø-üŌŐŪŲ"},
	{upperAccented, "À-ÑØÜÝĀĂĄĆČĎĐĒĖĘĚĞĢĪİĶĹĻĽŁŃŅŇŒŘŚŞŠŢŤŮŰŸŹŻŽҐ"},
	{lowerAccented, "ß-ñüāăąćčďđēėęěğģīįķĺļľłœŕśşšťźżžґﬁﬂ"},
	{upperCommon, "ÞΆΈ-ΊΌΎΏΑ-ΫЁ-Я"},
	{lowerCommon, "ά-ΰα-ωа-џ"},
	{box, "│┌┐┘├┤┬┼═-╬▀▄█▌▐░▒▓"},
	{asciiLower, "a-z"},
	{asciiUpper, "A-Z"},
	{blank, " "},
	{stop, ".,?!"},
	{ligatureOE, "Œœ"},
	{degree, "°"},
	{degreeMicro, "°µ"},
	{leadLatin, "ÂÃÎÐ"},
	{followLatin, "€œŠš¢£Ÿž\u00a0\u00ad®©°·»–—´"},
	{times, "×"},
	{squares, "²³"},
	{leadArabic, "ØÙ"},
	{followArabic, "ŸŠ®°µ»"},
	{aGrave, "à"},
	{followIndic, "²µ¹¼½¾"},
	{root, "√"},
	{followRoot, "±∂†≠®™´≤≥¥µø"},
	{almostEqual, "≈"},
	{degreeCent, "°¢"},
	{lowQuote, "‚"},
	{aDiaeresis, "Ä"},
	{followADiaeresis, "ìîïòôúùû†°¢π"},
	{leadAncient, "âó"},
	{followAncient, "àä°ê"},
	{cyrVe, "в"},
	{cyrDje, "Ђ"},
	{leadCyrillic, "ВГРС"},
	{cyrGhe, "Г"},
	{cyrShortU, "ў"},
	{cyrCapitalVe, "В"},
	{aTilde, "Ã"},
	{followATilde, "\u00a0¡"},
	{aTildeCircumflex, "ÃÂ"},
	{aCircumflex, "Â"},
	{beta, "β"},
	{euro, "€"},
	{followBetaEuro, "™\u00a0Ά\u00ad®°"},
	{leadGreek, "ΒΓΞΟ"},
	{aMacron, "ā"},
}

// unlikely lists the sequences of classes that mark text as mojibake.
var unlikely = [][]class{
	{c1},
	{bad | oddities, bad},
	{asciiLower | asciiUpper, lowerCommon | upperCommon, bad},
	{bad, oddities},
	{lowerAccented | lowerCommon | box | closers | currency | numeric, upperAccented},
	{box | closers | currency | numeric, lowerAccented},
	{lowerAccented | box | closers, currency},
	{white, upperAccented, currency},
	{upperAccented | box, numeric | law},
	{accented | box | currency | closers, openers, numeric},
	{accented | currency | numeric | box | law, closers, openers},
	{currency | numeric | box, openers},
	{asciiLower, upperAccented, openers | currency},
	{box, kaomoji},
	{accented | currency | numeric | openers | closers | law, box},
	{box, closers},
	{accented, openers | closers, word},
	{ligatureOE, notLatin},
	{upperAccented, degree},
	{leadLatin, followLatin | openers | closers},
	{times, squares},
	{leadArabic, followArabic | common | currency | bad | numeric | openers,
		leadArabic, followArabic | common | currency | bad | numeric | openers},
	{aGrave, followIndic},

	// U+2000 to U+2FFF, and some older scripts, read as MacRoman.
	{root, followRoot},
	{almostEqual, degreeCent},
	{lowQuote, aDiaeresis, followADiaeresis},
	{lowQuote, leadAncient, followAncient},

	// U+2000 to U+20FF, Latin-1 and Cyrillic read as Windows-1251. The last is
	// what is left of a character of Windows-1252 after two such accidents.
	{cyrVe, cyrDje},
	{leadCyrillic, commonAt | degreeMicro, leadCyrillic},
	{cyrGhe, cyrShortU, cyrCapitalVe, cyrDje, cyrCapitalVe, notBreak, asciiLower | asciiUpper | blank},

	// U+00A0, à and á, whose second byte may have become a plain space.
	{aTilde, followATilde},
	{asciiLower, aTildeCircumflex, blank},
	{asciiLower, white, aTildeCircumflex, blank},
	{lineStart, aTildeCircumflex, blank},

	// A character of Latin-1 whose second byte stands for the same character.
	{asciiLower | stop | closers, aCircumflex, blank | openers | closers},

	// U+2000 to U+20FF, Latin-1 and Greek read as Windows-1253 and 1257.
	{beta, euro, followBetaEuro},
	{leadGreek, commonAt | degree, leadGreek},
	{aMacron, euro},
}

// classes returns the table of the classes of characters, built on first use.
var classes = sync.OnceValue(func() map[rune]class {
	table := make(map[rune]class, 600)
	for _, m := range members {
		chars := []rune(m.chars)
		for i := 0; i < len(chars); i++ {
			first, last := chars[i], chars[i]
			if i+2 < len(chars) && chars[i+1] == '-' {
				last = chars[i+2]
				i += 2
			}
			for r := first; r <= last; r++ {
				table[r] |= m.class
			}
		}
	}
	return table
})

// classify returns the classes of the characters of s, with lineStart before
// them.
func classify(s string) []class {
	table := classes()
	out := make([]class, 1, len(s)+1)
	out[0] = lineStart
	for _, r := range s {
		c := table[r]
		if IsSpace(r) {
			c |= white
		} else if r == '_' || unicode.IsLetter(r) || unicode.IsNumber(r) {
			c |= word
		}
		if c&(asciiLower|asciiUpper) == 0 {
			c |= notLatin
		}
		if r != '\n' {
			c |= notBreak
		}
		out = append(out, c)
	}
	return out
}

// isBad reports whether s looks like mojibake: text decoded with an encoding
// other than the one it was encoded with.
func isBad(s string) bool {
	kinds := classify(s)
	var present class
	for _, k := range kinds {
		present |= k
	}
	for _, sequence := range unlikely {
		if !possible(present, sequence) {
			continue
		}
		for i := range kinds {
			if follows(kinds[i:], sequence) {
				return true
			}
		}
	}
	return false
}

// possible reports whether present has one of each of sequence.
func possible(present class, sequence []class) bool {
	for _, c := range sequence {
		if present&c == 0 {
			return false
		}
	}
	return true
}

// follows reports whether kinds starts with one of each of sequence.
func follows(kinds, sequence []class) bool {
	if len(kinds) < len(sequence) {
		return false
	}
	for i, c := range sequence {
		if kinds[i]&c == 0 {
			return false
		}
	}
	return true
}
