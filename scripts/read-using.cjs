// Teaches the import reader `using` declarations, which its syntax visitor does not know yet.
const { Visitor } = require('@swc/core/Visitor.js');

const { visitStatement } = Visitor.prototype;
Visitor.prototype.visitStatement = function (statement) {
  if (statement.type !== 'UsingDeclaration') return visitStatement.call(this, statement);
  statement.decls = this.visitVariableDeclarators(statement.decls);
  return statement;
};
