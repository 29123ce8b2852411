//! Who gets which shape of a refusal.

use super::*;

fn wanted(accept: &[&'static str]) -> Shape {
    let mut headers = HeaderMap::new();
    for value in accept {
        headers.append(ACCEPT, HeaderValue::from_static(value));
    }
    Shape::wanted(&headers)
}

#[test]
fn s3_clients_that_do_not_name_problem_details_get_the_shape_of_s3() {
    for accept in [
        &[][..],
        &["*/*"],
        &["application/*"],
        &["application/json"],
        &["text/html, */*;q=0.1"],
        &["application/problem+xml"],
        &["application/problem+json;q=0"],
        &["application/problem+json; q=0.000"],
        &["application/problem+json;q=0.5, application/json"],
        &["application/problem+json;q=wrong"],
        &["application/problem+json;q=2"],
    ] {
        assert_eq!(wanted(accept), Shape::Errors, "{accept:?}");
    }
}

#[test]
fn rfc9457_clients_that_name_problem_details_get_them() {
    for accept in [
        &["application/problem+json"][..],
        &["application/json, application/problem+json"],
        &["application/json", "Application/Problem+JSON"],
        &["application/json;q=0.9,application/problem+json;q=0.9"],
        &["application/problem+json;q=0.001, */*"],
        &["application/problem+json; charset=utf-8; q=1.0"],
    ] {
        assert_eq!(wanted(accept), Shape::Problem, "{accept:?}");
    }
}
