//! The grammar of words on the wire, as regular expressions that ECMA-262, Rust and Python share.

/// A printable character that is no blank: said by what it is not, which is shorter, and tools that
/// make examples need not list it.
const GRAPHIC: &str =
    "[^\\u0000-\\u0020\\u007f-\\u00a0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000]";
/// Printable characters, blanks too.
const PRINTABLE: &str = "[^\\u0000-\\u001f\\u007f-\\u009f]*";
/// What may stand around a number, and is taken away.
const BLANKS: &str = "[\\t-\\r ]*";
/// What may stand between the digits of a number (D8).
const SEPARATORS: &str = "[ ./()-]*";
/// The GSM 7-bit default alphabet without the blank and without what needs an escape (3GPP TS
/// 23.038, 6.2.1), but for the characters before the comma.
const GSM: &str = ",-Z_a-z£¥èéùìòÇØøÅåΔΦΓΛΩΠΨΣΘΞÆæßÉ¤¡ÄÖÑÜ§¿äöñüà";

/// Printable characters that are more than blanks: the name of a frontend, or a number before the
/// numbering rules saw it.
pub(super) fn name() -> String {
    format!("{BLANKS}{GRAPHIC}{PRINTABLE}{BLANKS}")
}

/// 3 to 20 digits with an optional plus (D8).
pub(super) fn plain_number() -> String {
    format!("{BLANKS}\\+?[0-9]{{3,20}}{BLANKS}")
}

/// A part of a number that is digits, with separators or without.
pub(super) fn digits() -> String {
    format!("{BLANKS}\\+?{SEPARATORS}([0-9]{SEPARATORS})+{BLANKS}")
}

/// A sender: a number of up to 20 digits, or a name of up to 11 characters.
pub(super) fn sender() -> String {
    let named = format!("[!-+{GSM}]([ !-+{GSM}]{{0,9}}[!-+{GSM}])?");
    format!("{BLANKS}(\\+?{SEPARATORS}([0-9]{SEPARATORS}){{1,20}}|{named}){BLANKS}")
}

/// A prefix of called numbers (S4.1).
pub(super) fn called_prefix() -> String {
    format!("{BLANKS}\\+?[0-9*#]{{1,20}}{BLANKS}")
}

/// A prefix of calling numbers, or the beginning of a sender name; a lone plus begins them all.
pub(super) fn calling_prefix() -> String {
    let named = format!("[!-*{GSM}]|[!-+{GSM}][ !-+{GSM}]{{0,9}}[!-+{GSM}]");
    format!("{BLANKS}(\\+?[0-9*#]{{1,20}}|{named}){BLANKS}")
}

/// A host name as answers of ENUM have it; dots at its end do not count.
pub(super) fn enum_domain() -> String {
    "[0-9A-Za-z_.:-]*[0-9A-Za-z_:-]\\.*".to_owned()
}

/// `host:port`; an IPv6 address stands in brackets.
pub(super) fn host() -> String {
    const PORT: &str = "([1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|\
                        655[0-2][0-9]|6553[0-5])";
    format!("([A-Za-z0-9._-]{{1,253}}|\\[({})\\]):{PORT}", ipv6())
}

/// A host name, or an address of either family.
pub(super) fn server_name() -> String {
    format!("[A-Za-z0-9._-]{{1,253}}|{}", ipv6())
}

/// An address, or a network with the length of its prefix.
pub(super) fn network() -> String {
    const LENGTH: &str = "(12[0-8]|1[01][0-9]|[1-9]?[0-9])";
    format!("{}(/(3[0-2]|[12]?[0-9]))?|({})(/{LENGTH})?", ipv4(), ipv6())
}

/// An address of either family.
pub(super) fn address() -> String {
    format!("{}|{}", ipv4(), ipv6())
}

/// A scope of a key (S3.8).
pub(super) fn scope() -> String {
    format!("admin|read|submit|locations|unrouted|frontend:{}", name())
}

/// A media type (RFC 9110, 8.3.1).
pub(super) fn media_type() -> String {
    const TOKEN: &str = "[0-9A-Za-z!#$%&'*+.^_`|~-]+";
    format!("{TOKEN}/{TOKEN} *(;[ -~]*)?")
}

/// A word in upper or lower case.
pub(super) fn any_case(words: &[&str]) -> String {
    let letter = |letter: char| match letter.is_ascii_alphabetic() {
        true => format!(
            "[{}{}]",
            letter.to_ascii_uppercase(),
            letter.to_ascii_lowercase()
        ),
        false => letter.to_string(),
    };
    let word = |word: &&str| word.chars().map(letter).collect();
    let words: Vec<String> = words.iter().map(word).collect();
    words.join("|")
}

/// An integer from `least` to `most` in decimals, with a sign and leading zeros or without.
pub(super) fn integer(least: u64, most: u64) -> String {
    let zero = if least == 0 { "[+-]?0+|" } else { "" };
    let (least, most) = (least.max(1).to_string(), most.to_string());
    let (fewest, longest) = (least.len(), most.len());
    let forms = if fewest == longest {
        between(least.as_bytes(), most.as_bytes())
    } else {
        let nines = "9".repeat(fewest);
        let ten = format!("1{}", "0".repeat(longest - 1));
        let mut forms = vec![between(least.as_bytes(), nines.as_bytes())];
        if fewest + 1 < longest {
            forms.push(format!("[1-9][0-9]{{{fewest},{}}}", longest - 2));
        }
        forms.push(between(ten.as_bytes(), most.as_bytes()));
        forms.join("|")
    };
    format!("{zero}\\+?0*({forms})")
}

/// The decimals from one number to another of as many digits.
fn between(from: &[u8], to: &[u8]) -> String {
    let ([low, from @ ..], [high, to @ ..]) = (from, to) else {
        return String::new();
    };
    let any = |count: usize| match count {
        0 => String::new(),
        1 => "[0-9]".to_owned(),
        count => format!("[0-9]{{{count}}}"),
    };
    let digits = |low: u8, high: u8| match low == high {
        true => char::from(low).to_string(),
        false => format!("[{}-{}]", char::from(low), char::from(high)),
    };
    if low == high {
        return format!("{}{}", char::from(*low), between(from, to));
    }
    let lowest = from.iter().all(|digit| *digit == b'0');
    let highest = to.iter().all(|digit| *digit == b'9');
    let mut forms = Vec::new();
    if !lowest {
        let nines = vec![b'9'; from.len()];
        forms.push(format!("{}{}", char::from(*low), between(from, &nines)));
    }
    let (first, last) = (low + u8::from(!lowest), high - u8::from(!highest));
    if first <= last {
        forms.push(format!("{}{}", digits(first, last), any(from.len())));
    }
    if !highest {
        let zeros = vec![b'0'; to.len()];
        forms.push(format!("{}{}", char::from(*high), between(&zeros, to)));
    }
    match forms.as_slice() {
        [form] => form.clone(),
        _ => format!("({})", forms.join("|")),
    }
}

fn ipv4() -> String {
    const OCTET: &str = "(25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])";
    format!("({OCTET}\\.){{3}}{OCTET}")
}

/// Every form of an IPv6 address but those that end as IPv4.
fn ipv6() -> String {
    const FORMS: &str = "(G:){7}G|(G:){1,7}:|(G:){1,6}:G|(G:){1,5}(:G){1,2}|(G:){1,4}(:G){1,3}|\
                         (G:){1,3}(:G){1,4}|(G:){1,2}(:G){1,5}|G:(:G){1,6}|:((:G){1,7}|:)";
    FORMS.replace('G', "[0-9A-Fa-f]{1,4}")
}

#[cfg(test)]
mod tests;
