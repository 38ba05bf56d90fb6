//! Enums in every representation, and flattened fields.

use super::*;

#[test]
fn external_tags() {
    check::<Shape>(
        r#"{"Circle":{"center":[1],"radius":"x"}}"#,
        &[
            "Circle.center|length|must be a list of 2 values, not 1",
            "Circle.radius|type|must be a number, not a string",
        ],
    );
    check::<Shape>(
        r#"{"Circle":{"center":[1,2,3]}}"#,
        &["Circle.center|length|must be a list of 2 values, not 3", "Circle.radius|required|is missing"],
    );
    check::<Shape>(
        r#"{"Path":[[1,2],[1,"x"],5]}"#,
        &["Path[1][1]|type|must be a number, not a string", "Path[2]|type|must be a list, not a number"],
    );
    check::<Shape>(r#"{"Line":[[1,2],[true,2]]}"#, &["Line[1][0]|type|must be a number, not true"]);
    check::<Shape>(
        r#""Circle""#,
        &["|type|the data must be an object that has its name as the key, not a string alone"],
    );
    check::<Shape>(
        r#"{"Square":1}"#,
        &["|one_of|the data must be one of `Empty`, `Circle`, `Path`, `Line`, not `Square`"],
    );
    check::<Shape>("{}", &["|value|the data must be a string, or an object with a single key, not an object"]);
    check::<Shape>("[]", &["|type|the data must be a string, or an object with a single key, not a list"]);
}

#[test]
fn internal_tags() {
    check::<Event>("{}", &["kind|required|is missing"]);
    check::<Event>(
        r#"{"kind":"flown","x":"a"}"#,
        &["kind|one_of|must be one of `moved`, `named`, `gone`, not `flown`"],
    );
    check::<Event>(r#"{"kind":5}"#, &["kind|type|must be a string, not a number"]);
    check::<Event>(
        r#"{"kind":"moved","x":"a","y":"a"}"#,
        &[
            "x|type|must be a whole number, not a string",
            "y|type|must be a whole number, not a string",
            "by|required|is missing",
        ],
    );
    check::<Event>(
        r#"{"y":1.5,"x":99999999999,"by":"","kind":"moved","z":""}"#,
        &[
            "y|type|must be a whole number, not 1.5",
            "x|value|must be a whole number from -2147483648 to 2147483647, not 99999999999",
            "by|value|is not valid: a user id must not be empty",
        ],
    );
    // It might be a tag, so nothing more is said of what stands beside it.
    check::<Event>(
        r#"{"kind":"named","name":"moved","color":"moved","tags":["a",1,"b",{}]}"#,
        &["color|one_of|must be one of `red`, `green`, not `moved`"],
    );
    check::<Event>(
        r#"{"kind":"named","name":"moved","color":"red","tags":["a",1,"b",{}]}"#,
        &["tags[1]|type|must be a string, not a number", "tags[3]|type|must be a string, not an object"],
    );
    check::<Event>(
        r#"{"kind":"moved","x":[],"y":[],"by":[]}"#,
        &[
            "x|type|must be a whole number, not a list",
            "y|type|must be a whole number, not a list",
            "by|type|must be a string, not a list",
        ],
    );
    check::<Vec<Event>>(
        r#"[{"kind":"gone"},{"kind":"moved","x":1,"by":"a"},{"kind":"x"},5]"#,
        &[
            "[1].y|required|is missing",
            "[2].kind|one_of|must be one of `moved`, `named`, `gone`, not `x`",
            "[3]|type|must be an object, not a number",
        ],
    );
}

#[test]
fn adjacent_tags() {
    check::<Adjacent>("{}", &["t|required|is missing"]);
    check::<Adjacent>(r#"{"t":"Number"}"#, &["c|required|is missing"]);
    check::<Adjacent>(r#"{"t":"Number","c":"x"}"#, &["c|type|must be a whole number, not a string"]);
    check::<Adjacent>(r#"{"c":"x","t":"Number"}"#, &["c|type|must be a whole number, not a string"]);
    check::<Adjacent>(
        r#"{"t":"Say","c":{"room":1}}"#,
        &["c.room|type|must be a string, not a number", "c.text|required|is missing"],
    );
    check::<Adjacent>(
        r#"{"c":{"room":1},"t":"Say"}"#,
        &["c.room|type|must be a string, not a number", "c.text|required|is missing"],
    );
    check::<Adjacent>(r#"{"t":"Nothing","c":"x"}"#, &["t|one_of|must be one of `Number`, `Say`, not `Nothing`"]);
}

#[test]
fn untagged_flattened_and_nested() {
    check::<Either>(r#"{"room":1}"#, &["|value|the data has none of the forms that it may have"]);
    check::<Flat>("{}", &["id|required|is missing", "room|required|is missing", "text|required|is missing"]);
    check::<Flat>(
        r#"{"id":"x","room":5,"text":"t","priority":"p"}"#,
        &[
            "id|type|must be a whole number, not a string",
            "room|type|must be a string, not a number",
            "priority|type|must be a whole number, not a string",
        ],
    );
    check::<Deep>(
        r#"{"points":[],"by_name":{},"by_number":{"1":true,"x":false,"2":0},"event":{"kind":"moved","x":1,"y":2},
            "adjacent":{"t":"Number","c":-1},"either":{"text":1},"inner":{"points":[]}}"#,
        &[
            "by_number.x|type|has a key that cannot be: it must be a whole number, not a string",
            "by_number.2|type|must be true or false, not a number",
            "event.by|required|is missing",
            "adjacent.c|value|must be a whole number from 0 to 4294967295, not -1",
            "either|value|has none of the forms that it may have",
            "inner.by_name|required|is missing",
            "inner.by_number|required|is missing",
            "inner.event|required|is missing",
        ],
    );
}
