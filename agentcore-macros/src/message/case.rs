//! The naming cases of serde's `rename_all`.

/// A value of `rename_all`.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Case {
    #[default]
    AsWritten,
    Lower,
    Upper,
    Pascal,
    Camel,
    Snake,
    ScreamingSnake,
    Kebab,
    ScreamingKebab,
}

impl Case {
    /// Returns the case that serde calls `name`. serde reports an unknown name itself.
    pub(super) fn parse(name: &str) -> Self {
        match name {
            "lowercase" => Self::Lower,
            "UPPERCASE" => Self::Upper,
            "PascalCase" => Self::Pascal,
            "camelCase" => Self::Camel,
            "snake_case" => Self::Snake,
            "SCREAMING_SNAKE_CASE" => Self::ScreamingSnake,
            "kebab-case" => Self::Kebab,
            "SCREAMING-KEBAB-CASE" => Self::ScreamingKebab,
            _ => Self::AsWritten,
        }
    }

    /// Returns the key of a field, from its name in snake case.
    pub(super) fn of_field(self, name: &str) -> String {
        match self {
            Self::AsWritten | Self::Lower | Self::Snake => name.to_owned(),
            Self::Upper | Self::ScreamingSnake => name.to_ascii_uppercase(),
            Self::Pascal => name.split('_').map(capitalized).collect(),
            Self::Camel => uncapitalized(&Self::Pascal.of_field(name)),
            Self::Kebab => name.replace('_', "-"),
            Self::ScreamingKebab => Self::Kebab.of_field(name).to_ascii_uppercase(),
        }
    }

    /// Returns the key of a variant, from its name in Pascal case.
    pub(super) fn of_variant(self, name: &str) -> String {
        match self {
            Self::AsWritten | Self::Pascal => name.to_owned(),
            Self::Lower => name.to_ascii_lowercase(),
            Self::Upper => name.to_ascii_uppercase(),
            Self::Camel => uncapitalized(name),
            Self::Snake => snake(name),
            Self::ScreamingSnake => snake(name).to_ascii_uppercase(),
            Self::Kebab => snake(name).replace('_', "-"),
            Self::ScreamingKebab => Self::Kebab.of_variant(name).to_ascii_uppercase(),
        }
    }
}

/// Converts a name from Pascal case, such as `ChatMessage` to `chat_message`.
pub(super) fn snake(name: &str) -> String {
    let mut snake = String::new();
    for (at, c) in name.char_indices() {
        if at > 0 && c.is_uppercase() {
            snake.push('_');
        }
        snake.push(c.to_ascii_lowercase());
    }
    snake
}

fn capitalized(word: &str) -> String {
    let mut chars = word.chars();
    chars.next().map(|first| first.to_ascii_uppercase()).into_iter().chain(chars).collect()
}

fn uncapitalized(word: &str) -> String {
    let mut chars = word.chars();
    chars.next().map(|first| first.to_ascii_lowercase()).into_iter().chain(chars).collect()
}

#[cfg(test)]
mod tests {
    use super::Case;

    #[test]
    fn the_cases_match_those_of_serde() {
        for (case, field, variant) in [
            ("lowercase", "room_name", "roomjoined"),
            ("UPPERCASE", "ROOM_NAME", "ROOMJOINED"),
            ("PascalCase", "RoomName", "RoomJoined"),
            ("camelCase", "roomName", "roomJoined"),
            ("snake_case", "room_name", "room_joined"),
            ("SCREAMING_SNAKE_CASE", "ROOM_NAME", "ROOM_JOINED"),
            ("kebab-case", "room-name", "room-joined"),
            ("SCREAMING-KEBAB-CASE", "ROOM-NAME", "ROOM-JOINED"),
            ("none of them", "room_name", "RoomJoined"),
        ] {
            assert_eq!(Case::parse(case).of_field("room_name"), field, "{case}");
            assert_eq!(Case::parse(case).of_variant("RoomJoined"), variant, "{case}");
        }
    }
}
